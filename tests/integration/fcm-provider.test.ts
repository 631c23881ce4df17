import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { getApps } from 'firebase-admin/app'
import { systemClock } from '../../src/lib/clock.ts'
import { HOUR, MINUTE } from '../../src/lib/units.ts'
import type { FcmCredentials } from '../../src/push/app-credentials.ts'
import { createFcmProvider, type FcmProviderOptions } from '../../src/push/providers/fcm/fcm-provider.ts'
import type { Push, PushOf } from '../../src/push/push.ts'
import { loadOrCreateSimulatorCredentials } from '../../src/simulators/credentials.ts'
import type { FcmAnswer } from '../../src/simulators/fcm-protocol.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'
import { until } from '../support/conditions.ts'
import { CONTENTS, FID, fcmPush } from '../support/provider-pushes.ts'

/** Milliseconds: for tests of silence, and still enough for a handshake on a busy machine. */
const SHORT = 1_500
const TOKEN = 'fJ3kT0w:APA91bH-example_registration_token'
const MAX_SOCKETS = 100

let directory: string
let simulators: Simulators

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fcm-provider-'))
})
afterAll(() => rm(directory, { recursive: true }))

// A fresh simulator for each test, so that connections can be counted from one.
beforeEach(async () => {
  simulators = await startSimulators({ directory })
})
afterEach(() => simulators.close())

function openProvider(options: FcmProviderOptions = {}, changes: Partial<FcmCredentials> = {}) {
  const credentials = { ...simulators.credentials.fcm, ...changes }
  const provider = createFcmProvider(new Map([['app', credentials]]), options)
  return {
    ...provider,
    /** Sends with no deadline but the provider's own. */
    wake: (push: Push) => provider.send(push, new AbortController().signal),
    [Symbol.asyncDispose]: () => provider.close(),
  }
}

/** A clock that can be put forward. @param offset Milliseconds from the real time. */
function movableClock(offset = 0) {
  return {
    ...systemClock,
    now: () => Date.now() + offset,
    forward: (ms: number) => {
      offset += ms
    },
  }
}

const pushTo = (token: string, changes: Partial<Push> = {}): PushOf<'call'> =>
  fcmPush('call', { token, ...changes }, { callUuid: randomUUID() })

test('an accepted message is data only, urgent, and ends with the call', async () => {
  await using provider = openProvider()
  const push = pushTo(TOKEN)
  expect(await provider.wake(push)).toEqual({
    kind: 'accepted',
    providerId: expect.stringMatching(/^projects\/[\w-]+\/messages\//),
  })
  expect(simulators.fcm.received).toHaveLength(1)
  const { message, headers, verdict } = simulators.fcm.received[0] ?? {}
  expect(verdict).toEqual({ status: 200 })
  expect(headers).toMatchObject({ host: 'fcm.googleapis.com' })
  expect(message).toEqual({
    token: TOKEN,
    data: {
      type: 'incoming_call',
      call_id: push.content.callUuid,
      sip_call_id: CONTENTS.call.callId,
      caller_id: '+49301234567',
      caller_name: 'Ada Lovelace',
      expires_at: new Date(push.expiresAt).toISOString(),
    },
    android: { priority: 'high', ttl: expect.stringMatching(/^(29\.\d+|30)s$/) },
  })
})

test('a push whose call is over is sent for now or never', async () => {
  await using provider = openProvider()
  await provider.wake(pushTo(TOKEN, { expiresAt: Date.now() - 5_000 }))
  expect(simulators.fcm.received[0]?.message).toMatchObject({ android: { ttl: '0s' } })
})

test('warmed up, it has an access token before the first message', async () => {
  await using provider = openProvider()
  await provider.warmUp()
  expect(simulators.fcm.accessTokensIssued).toBe(1)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  expect(simulators.fcm.accessTokensIssued).toBe(1)
})

test('200 messages share few connections and one access token', async () => {
  await using provider = openProvider({ timeoutMs: 30_000 })
  const outcomes = await Promise.all(Array.from({ length: 200 }, () => provider.wake(pushTo(TOKEN))))
  expect(outcomes.filter(({ kind }) => kind === 'accepted')).toHaveLength(200)
  expect(simulators.fcm.accessTokensIssued).toBe(1)
  expect(simulators.fcm.connectionCount).toBeLessThanOrEqual(MAX_SOCKETS + 1)
  const before = simulators.fcm.connectionCount
  await provider.wake(pushTo(TOKEN))
  expect(simulators.fcm.connectionCount).toBe(before)
})

test.each<[FcmAnswer, object]>([
  [
    { status: 502, html: true },
    { kind: 'retry', reason: 'status_502' },
  ],
  [
    { status: 404, html: true },
    { kind: 'rejected', class: 'config', reason: 'status_404' },
  ],
  [
    { status: 200, html: true },
    { kind: 'unknown', reason: 'unreadable_answer' },
  ],
  [{ reset: true }, { kind: 'unknown', reason: 'connection_lost' }],
])('%j is one try and becomes %j', async (answer, outcome) => {
  await using provider = openProvider()
  simulators.fcm.answers(TOKEN, answer)
  const told = await provider.wake(pushTo(TOKEN))
  expect(told).toMatchObject(outcome)
  expect(JSON.stringify(told)).not.toContain(TOKEN)
  expect(simulators.fcm.received).toHaveLength(1)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
})

test('a 503 is not sent again by firebase-admin', async () => {
  await using provider = openProvider()
  simulators.fcm.behaves(TOKEN, { status: 503, errorCode: 'UNAVAILABLE' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', class: 'transient' })
  await provider.close()
  expect(simulators.fcm.received).toHaveLength(1)
})

test('silence is unknown after the time-out, and the next message works', async () => {
  await using provider = openProvider({ timeoutMs: SHORT })
  simulators.fcm.answers(TOKEN, { silent: true })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'unknown', reason: 'no_answer' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
})

test('a message may take longer than a call', async () => {
  await using provider = openProvider()
  simulators.fcm.behaves(TOKEN, { status: 200, delayMs: 3_200 })
  const [call, message] = await Promise.all([
    provider.wake(pushTo(TOKEN)),
    provider.wake(fcmPush('message', { token: TOKEN })),
  ])
  expect(call).toMatchObject({ kind: 'unknown', reason: 'no_answer' })
  expect(message).toMatchObject({ kind: 'accepted' })
})

test('messages that wait behind silent ones are known not to have left', async () => {
  await using provider = openProvider({ timeoutMs: 30_000 })
  await provider.wake(pushTo(TOKEN))
  simulators.fcm.behaves(TOKEN, { silent: true })
  const deadline = new AbortController()
  const send = () => provider.send(pushTo(TOKEN), deadline.signal)
  const outcomes = Promise.all(Array.from({ length: MAX_SOCKETS + 20 }, send))
  const taken = () => simulators.fcm.received.length === MAX_SOCKETS + 1
  await until(taken, { description: 'all connections wait for an answer' })
  deadline.abort()
  const kinds = Object.groupBy(await outcomes, ({ kind }) => kind)
  expect([kinds.unknown?.length, kinds.retry?.length]).toEqual([MAX_SOCKETS, 20])
  expect(await provider.wake(pushTo(`${TOKEN}2`))).toMatchObject({ kind: 'accepted' })
})

test('the deadline of a push ends the try, and its late end is unheard', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  await using provider = openProvider()
  simulators.fcm.answers(TOKEN, { status: 200, delayMs: 100 })
  const deadline = new AbortController()
  const outcome = provider.send(pushTo(TOKEN), deadline.signal)
  await until(() => simulators.fcm.received.length === 1, { description: 'the message has arrived' })
  deadline.abort()
  expect(await outcome).toMatchObject({ kind: 'unknown', reason: 'no_answer' })
  await provider.close()
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

test('nothing is sent after the deadline', async () => {
  await using provider = openProvider()
  expect(await provider.send(pushTo(TOKEN), AbortSignal.abort())).toMatchObject({ kind: 'retry' })
  expect(simulators.fcm.connectionCount).toBe(0)
})

test('a revoked access token is replaced once, and not again within a minute', async () => {
  const clock = movableClock()
  await using provider = openProvider({ clock })
  await provider.wake(pushTo(TOKEN))
  simulators.fcm.revokeAccessTokens()
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({
    kind: 'rejected',
    reason: 'UNAUTHENTICATED',
    class: 'config',
    status: 401,
  })
  clock.forward(2 * MINUTE)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({
    kind: 'retry',
    class: 'provider_token',
    reason: 'access_token_renewed',
    status: 401,
  })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  expect(simulators.fcm.accessTokensIssued).toBe(2)
})

test('of many pushes with one revoked access token none is refused: one of them renews it for all', async () => {
  const clock = movableClock()
  await using provider = openProvider({ clock })
  await provider.wake(pushTo(TOKEN))
  clock.forward(2 * MINUTE)
  simulators.fcm.revokeAccessTokens()
  const wakeAll = () => Promise.all(Array.from({ length: 10 }, () => provider.wake(pushTo(TOKEN))))
  const outcomes = await wakeAll()
  const renewed = { kind: 'retry', class: 'provider_token', reason: 'access_token_renewed' }
  expect(outcomes).toMatchObject(outcomes.map(() => renewed))
  expect((await wakeAll()).map(({ kind }) => kind)).toEqual(outcomes.map(() => 'accepted'))
  expect(simulators.fcm.accessTokensIssued).toBe(2)
})

test('an access token is renewed before its end, without a push waiting for it', async () => {
  const age = HOUR - 4 * MINUTE
  const clock = movableClock(-age)
  await using provider = openProvider({ clock })
  await provider.wake(pushTo(TOKEN))
  clock.forward(age)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  await until(() => simulators.fcm.accessTokensIssued === 2, { description: 'the token is renewed' })
  const [first, second] = simulators.fcm.received.map(({ headers }) => headers.authorization)
  expect(second).toBe(first)
})

test('an access token that cannot be renewed serves until its end', async () => {
  const clock = movableClock()
  await using provider = openProvider({ clock })
  await provider.wake(pushTo(TOKEN))
  // Google refuses assertions from the future.
  clock.forward(HOUR - 4 * MINUTE)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  clock.forward(5 * MINUTE)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'rejected' })
})

test.each([
  ['nobody listens', { endpoint: 'https://127.0.0.1:1' }, 'retry', 'no_access_token'],
  ['nobody vouches for the certificate', { ca: rootCertificates[0] ?? '' }, 'retry', 'no_access_token'],
  ['the account is unknown', { clientEmail: 'else@example.com' }, 'rejected', 'service_account_refused'],
  ['the project is unknown', { projectId: 'else' }, 'rejected', 'NOT_FOUND'],
])('a push cannot leave because %s', async (_, changes, kind, reason) => {
  await using provider = openProvider({}, changes)
  await provider.warmUp()
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind, reason })
})

test('an endless answer in place of an access token is not read', async () => {
  const { certificates } = await loadOrCreateSimulatorCredentials(directory)
  const rest = 'x'.repeat(10_000_000)
  const server = createServer(certificates, (_request, response) => {
    response.end(JSON.stringify({ access_token: 'ya29.a', expires_in: 3_600, rest }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  await using provider = openProvider({}, { endpoint })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'no_access_token' })
  server.closeAllConnections()
  server.close()
})

test('a gateway that goes away between two messages has not got the second', async () => {
  await using provider = openProvider()
  await provider.wake(pushTo(TOKEN))
  await simulators.fcm.close()
  // The first may still find the connection that is just being closed.
  const refused = async () => {
    const outcome = await provider.wake(pushTo(TOKEN))
    return 'reason' in outcome && outcome.kind === 'retry' && outcome.reason === 'connection_failed'
  }
  await until(refused, { description: 'a connection is refused' })
})

test('an app without credentials is refused, though there is nothing wrong with the push', async () => {
  await using provider = openProvider()
  const push = pushTo(TOKEN, { appId: 'other' })
  expect(provider.check(push)).toBeUndefined()
  expect(await provider.wake(push)).toMatchObject({
    kind: 'rejected',
    class: 'config',
    reason: 'provider_not_configured',
  })
})

test.each<[Push['tokenKind'], string]>([
  ['fcm', ''],
  ['fcm', 'abcdefg'],
  ['fcm', 'abcdefgh ijkl'],
  ['fcm', 'abcdefghé'],
  ['fcm', 'x'.repeat(4_097)],
  ['fcm_fid', FID.slice(1)],
  ['fcm_fid', `${FID}=`],
  ['fcm_fid', 'x'.repeat(65)],
])('the %s %j is none', async (tokenKind, token) => {
  await using provider = openProvider()
  const code = 'malformed_token'
  expect(provider.check(pushTo(token, { tokenKind }))).toMatchObject({ code })
  const outcome = await provider.wake(pushTo(token, { tokenKind }))
  expect(outcome).toMatchObject({ kind: 'rejected', class: 'token', reason: code })
  expect(simulators.fcm.connectionCount).toBe(0)
})

test.each<[Push['tokenKind'], string]>([
  ['fcm', 'abcdefgh'],
  ['fcm', 'x'.repeat(4_096)],
  ['fcm_fid', FID],
])('the %s %j is one', async (tokenKind, token) => {
  await using provider = openProvider()
  expect(provider.check(pushTo(token, { tokenKind }))).toBeUndefined()
  expect(await provider.wake(pushTo(token, { tokenKind }))).toMatchObject({ kind: 'accepted' })
  expect(simulators.fcm.received).toMatchObject([{ token }])
})

test('a token of Apple, and ids that do not fit, are refused here', async () => {
  await using provider = openProvider()
  for (const tokenKind of ['apns', 'apns_voip'] as const) {
    const mistaken = pushTo('ab'.repeat(32), { tokenKind })
    expect(provider.check(mistaken)).toMatchObject({ code: 'wrong_token_kind' })
    expect(await provider.wake(mistaken)).toMatchObject({ class: 'message', reason: 'wrong_token_kind' })
  }
  const large = fcmPush('call', {}, { callId: 'x'.repeat(5_000) })
  expect(provider.check(large)).toMatchObject({ code: 'payload_too_large' })
  expect(await provider.wake(large)).toMatchObject({ class: 'message', reason: 'payload_too_large' })
  expect(simulators.fcm.connectionCount).toBe(0)
})

test('a call finds a connection while messages occupy all of theirs', async () => {
  await using provider = openProvider()
  simulators.fcm.behaves(TOKEN, { silent: true })
  const deadline = new AbortController()
  const send = () => provider.send(fcmPush('message', { token: TOKEN }), deadline.signal)
  const storm = Promise.all(Array.from({ length: MAX_SOCKETS + 20 }, send))
  const taken = () => simulators.fcm.received.length === MAX_SOCKETS
  await until(taken, { description: 'all connections of the messages wait for an answer' })
  expect(await provider.wake(pushTo(`${TOKEN}2`))).toMatchObject({ kind: 'accepted' })
  deadline.abort()
  await storm
})

test('two providers live side by side, and close leaves nothing behind', async () => {
  const first = openProvider()
  await using second = openProvider()
  // One for each lane.
  expect(getApps()).toHaveLength(4)
  expect(getApps().map(({ name }) => name)).not.toContain('[DEFAULT]')
  simulators.fcm.answers(TOKEN, { status: 200, delayMs: 100 })
  const outcome = first.wake(pushTo(TOKEN))
  await until(() => simulators.fcm.received.length === 1, { description: 'the message has arrived' })
  await first.close()
  expect(await outcome).toMatchObject({ kind: 'accepted' })
  expect(getApps()).toHaveLength(2)
  expect(await first.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'shutting_down' })
  expect(await second.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
})
