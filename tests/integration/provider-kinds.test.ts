import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApnsProvider } from '../../src/push/providers/apns/apns-provider.ts'
import { createFcmProvider } from '../../src/push/providers/fcm/fcm-provider.ts'
import { PRIVACY_MODES, type Privacy, PUSH_KINDS, type PushKind } from '../../src/push/push-kinds.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'
import { apnsPush, FID, fcmPush, NAMES_AND_NUMBERS, WORDS } from '../support/provider-pushes.ts'

/** Every kind of push in every mode, as the two vendors get it. */

let directory: string
let simulators: Simulators
let apns: ReturnType<typeof createApnsProvider>
let fcm: ReturnType<typeof createFcmProvider>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'provider-kinds-'))
  simulators = await startSimulators({ directory })
  apns = createApnsProvider(new Map([['app', simulators.credentials.apns]]))
  fcm = createFcmProvider(new Map([['app', simulators.credentials.fcm]]))
})
afterAll(async () => {
  await Promise.all([apns.close(), fcm.close()])
  await simulators.close()
  await rm(directory, { recursive: true })
})

const never = () => new AbortController().signal
const cases = PUSH_KINDS.flatMap((kind) => PRIVACY_MODES.map((privacy) => [kind, privacy] as const))

const HIDDEN: Record<Privacy, readonly string[]> = {
  full: [],
  sender: WORDS,
  wake: [...WORDS, ...NAMES_AND_NUMBERS],
}
/** What a kind says where nothing is hidden. */
const SAYS: Record<PushKind, readonly string[]> = {
  ...{ cancel: [], badge: [], background: [] },
  ...{ call: NAMES_AND_NUMBERS, missed_call: NAMES_AND_NUMBERS, voicemail: NAMES_AND_NUMBERS },
  message: ['Ada Lovelace', ...WORDS],
}

/** Everything in a request at which its vendor could look. */
function expectNothingHidden(request: unknown, kind: PushKind, privacy: Privacy): void {
  const seen = JSON.stringify(request)
  for (const word of HIDDEN[privacy]) expect(seen).not.toContain(word)
  for (const word of SAYS[kind]) expect(seen.includes(word)).toBe(!HIDDEN[privacy].includes(word))
}

test.each(cases)('Apple takes a push of the kind %s in the mode %s', async (kind, privacy) => {
  const push = apnsPush(kind, { privacy })
  expect(await apns.send(push, never())).toEqual({ kind: 'accepted', providerId: push.id })
  const { headers, payload, mismatch, topic } = simulators.apns.received.at(-1) ?? {}
  expect(mismatch).toBeUndefined()
  const bundleId = simulators.credentials.apns.bundleId
  expect(topic).toBe(kind === 'call' ? `${bundleId}.voip` : bundleId)
  expect(headers?.['apns-expiration']).toBe(String(Math.floor(push.expiresAt / 1_000)))
  expect(headers?.['apns-collapse-id'] === undefined).toBe(kind === 'call')
  expectNothingHidden({ headers, payload }, kind, privacy)
})

test.each(cases)('Google takes a push of the kind %s in the mode %s', async (kind, privacy) => {
  const push = fcmPush(kind, { privacy })
  expect(await fcm.send(push, never())).toMatchObject({ kind: 'accepted' })
  const { message = {}, verdict } = simulators.fcm.received.at(-1) ?? {}
  expect(verdict).toEqual({ status: 200 })
  expect(Object.keys(message).toSorted()).toEqual(['android', 'data', 'token'])
  const isQuiet = kind === 'badge' || kind === 'background'
  expect(message.android).toEqual({
    priority: isQuiet ? 'normal' : 'high',
    ttl: expect.stringMatching(/^(?:29\.\d+|30)s$/),
    ...(isQuiet && { collapse_key: kind }),
  })
  expectNothingHidden(message, kind, privacy)
})

test.each(PUSH_KINDS)('an installation id takes a push of the kind %s', async (kind) => {
  expect(await fcm.send(fcmPush(kind, { tokenKind: 'fcm_fid', token: FID }), never())).toMatchObject({
    kind: 'accepted',
  })
  const { message } = simulators.fcm.received.at(-1) ?? {}
  expect(message).toMatchObject({ fid: FID })
  expect(message).not.toHaveProperty('token')
})

test.each(PUSH_KINDS)('the largest push of the kind %s is one that both vendors take', async (kind) => {
  const long = '👩‍👩‍👧‍👦"ü'.repeat(2_000)
  const content = {
    call: { callerName: long },
    missed_call: { callerName: long },
    voicemail: { callerName: long },
    message: { title: long, text: long, senderName: long },
    ...{ cancel: {}, badge: {}, background: {} },
  }[kind]
  expect(await apns.send(apnsPush(kind, {}, content as never), never())).toMatchObject({ kind: 'accepted' })
  expect(await fcm.send(fcmPush(kind, {}, content as never), never())).toMatchObject({ kind: 'accepted' })
})

test('a push that is sent again takes the place of the first', async () => {
  const push = apnsPush('message')
  await apns.send(push, never())
  await apns.send(push, never())
  const ids = simulators.apns.received
    .slice(-2)
    .map(({ apnsId, headers }) => [apnsId, headers['apns-collapse-id']])
  expect(ids).toEqual([
    [push.id, 'message:conv-5'],
    [push.id, 'message:conv-5'],
  ])
})
