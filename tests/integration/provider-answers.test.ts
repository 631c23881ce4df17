import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { MINUTE } from '../../src/lib/units.ts'
import type { Outcome } from '../../src/push/outcome.ts'
import { APNS_ANSWERS } from '../../src/push/providers/apns/apns-answers.ts'
import { APNS_ENDINGS, type ApnsEnding } from '../../src/push/providers/apns/apns-endings.ts'
import { createApnsProvider } from '../../src/push/providers/apns/apns-provider.ts'
import { FCM_ANSWERS } from '../../src/push/providers/fcm/fcm-answers.ts'
import { FCM_ENDINGS, type FcmEnding } from '../../src/push/providers/fcm/fcm-endings.ts'
import { createFcmProvider } from '../../src/push/providers/fcm/fcm-provider.ts'
import type { ApnsAnswer } from '../../src/simulators/apns-protocol.ts'
import type { FcmAnswer, FcmErrorCode } from '../../src/simulators/fcm-protocol.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'
import { until } from '../support/conditions.ts'
import { APNS_TOKEN, apnsPush, FCM_TOKEN, fcmPush } from '../support/provider-pushes.ts'

/** Every answer that a vendor can give, from the wire to the outcome. */

let directory: string
let simulators: Simulators
let providers: { apns: ReturnType<typeof createApnsProvider>; fcm: ReturnType<typeof createFcmProvider> }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'provider-answers-'))
  simulators = await startSimulators({ directory })
  providers = {
    apns: createApnsProvider(new Map([['app', simulators.credentials.apns]])),
    fcm: createFcmProvider(new Map([['app', simulators.credentials.fcm]])),
  }
})
afterAll(async () => {
  await Promise.all([providers.apns.close(), providers.fcm.close()])
  await simulators.close()
  await rm(directory, { recursive: true })
})

const never = () => new AbortController().signal

async function apnsOutcome(answer: ApnsAnswer): Promise<Outcome> {
  simulators.apns.forgets(APNS_TOKEN)
  simulators.apns.behaves(APNS_TOKEN, answer)
  return providers.apns.send(apnsPush('call'), never())
}

async function fcmOutcome(answer: FcmAnswer): Promise<Outcome> {
  simulators.fcm.forgets(FCM_TOKEN)
  simulators.fcm.behaves(FCM_TOKEN, answer)
  return providers.fcm.send(fcmPush('call'), never())
}

test.each(APNS_ANSWERS)('Apple: $status $reason', async (row) => {
  const { status, reason } = row
  const timestamp = 1_700_000_000_000
  const before = simulators.apns.received.length
  expect(await apnsOutcome({ status, reason, timestamp })).toMatchObject({
    ...{ class: row.class, status, reason, detail: row.detail },
    ...(row.action === 'drop_token' && { deadSince: timestamp }),
  })
  expect(simulators.apns.received.length - before).toBe(row.action === 'trim_and_resend' ? 2 : 1)
})

test.each(FCM_ANSWERS)('Google: $from $status $reason $about', async (row) => {
  const { from, status, reason, about, detail } = row
  const before = simulators.fcm.received.length
  const outcome = await fcmOutcome({
    status,
    ...(from === 'fcm' && { errorCode: reason as FcmErrorCode }),
    ...(about && { field: 'message.token' }),
  })
  expect(outcome).toMatchObject({ class: row.class, status, reason, detail })
  expect(simulators.fcm.received.length - before).toBe(1)
})

const DATE = new Date(Date.now() + 100_000).toUTCString()
const PAUSES: [string, unknown][] = [
  ['0', 0],
  ['3', 3_000],
  ['120', 120_000],
  [DATE, expect.any(Number)],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
  ['soon', undefined],
  ['-5', undefined],
]
describe.each(PAUSES)('Retry-After: %s', (value, pause) => {
  const headers = { 'retry-after': value }
  const pauseOf = (outcome: Outcome) => ('retryAfterMs' in outcome ? outcome.retryAfterMs : undefined)

  test.each([
    // What a call waits when Apple names no time.
    [429, 'TooManyRequests', 1_000],
    [503, 'ServiceUnavailable', undefined],
  ])('with %i from Apple', async (status, reason, usual) => {
    const outcome = await apnsOutcome({ status, reason, headers })
    expect(outcome).toMatchObject({ kind: 'retry', reason })
    expect(pauseOf(outcome)).toEqual(pause ?? usual)
    if (value === DATE) expect(Math.abs(Number(pauseOf(outcome)) - 100_000)).toBeLessThan(30_000)
  })

  test.each([
    [429, 'QUOTA_EXCEEDED'],
    [503, 'UNAVAILABLE'],
  ] as const)('with %i from Google', async (status, errorCode) => {
    const outcome = await fcmOutcome({ status, errorCode, headers })
    expect(outcome).toMatchObject({ kind: 'retry', reason: errorCode })
    expect(pauseOf(outcome)).toEqual(pause ?? (status === 429 ? 60_000 : undefined))
  })
})

test('many answers at once each keep their own pause', async () => {
  const tokens = Array.from({ length: 100 }, (_, n) => n.toString(16).padStart(64, '0'))
  tokens.forEach((token, n) => {
    simulators.apns.answers(token, {
      ...{ status: 503, reason: 'ServiceUnavailable', headers: { 'retry-after': String(n) } },
      delayMs: (n * 7) % 20,
    })
  })
  const outcomes = await Promise.all(
    tokens.map((token) => providers.apns.send(apnsPush('call', { token }), never())),
  )
  expect(outcomes).toMatchObject(tokens.map((_, n) => ({ kind: 'retry', retryAfterMs: n * 1_000 })))
})

const JUNK: [string, string][] = [
  ['an empty body', ''],
  ['no JSON', '{"reason":'],
  ['a page', '<!DOCTYPE html><title>Error</title>'],
  ['null', 'null'],
  ['a number', '7'],
  ['null as the error', '{"error":null}'],
  ['a word of another type', '{"reason":{"a":1},"error":{"status":7,"details":7}}'],
  ['64 kB of a word', JSON.stringify({ reason: 'X'.repeat(60_000), error: { status: 'X'.repeat(60_000) } })],
  ['the token as the word', JSON.stringify({ reason: APNS_TOKEN, error: { status: FCM_TOKEN } })],
  ['10 MB', 'x'.repeat(10_000_000)],
  [
    '10 MB that begin well',
    JSON.stringify({ reason: 'Unregistered', name: 'projects/p/messages/1', rest: 'x'.repeat(10_000_000) }),
  ],
]
describe.each(JUNK)('an answer that cannot be read: %s', (_what, body) => {
  test.each([
    [400, 'rejected', 'message'],
    [403, 'rejected', 'config'],
    [404, 'rejected', 'config'],
    [410, 'rejected', 'message'],
    [418, 'rejected', 'message'],
    [429, 'retry', 'transient'],
    [500, 'retry', 'transient'],
    [503, 'retry', 'transient'],
  ])('with %i counts by its status', async (status, kind, fault) => {
    const headers = { 'retry-after': '7' }
    for (const outcome of [
      await apnsOutcome({ status, body, headers }),
      await fcmOutcome({ status, body, headers }),
    ]) {
      expect(outcome).toMatchObject({ kind, class: fault, status, reason: `status_${status}` })
      if (kind === 'retry') expect(outcome).toMatchObject({ retryAfterMs: 7_000 })
    }
  })

  test('with 200 leaves it open whether the push arrived', async () => {
    const unreadable = { kind: 'unknown', reason: 'unreadable_answer', status: 200 }
    expect(await fcmOutcome({ status: 200, body })).toMatchObject(unreadable)
    // Apple's own success has an empty body; and to one that is JSON nobody listens.
    const isFine = body === '' || (body.endsWith('}') && body.length < 65_536)
    expect(await apnsOutcome({ status: 200, body })).toMatchObject(isFine ? { kind: 'accepted' } : unreadable)
  })
})

test('words of tomorrow count by their status', async () => {
  const body = JSON.stringify({
    reason: 'TooSunny',
    error: { status: 'TOO_SUNNY', message: 'no', details: [] },
  })
  for (const [status, kind] of [
    [400, 'rejected'],
    [410, 'rejected'],
    [418, 'rejected'],
    [429, 'retry'],
    [503, 'retry'],
  ] as const) {
    expect(await apnsOutcome({ status, body })).toMatchObject({ kind, status, reason: 'TooSunny' })
    expect(await fcmOutcome({ status, body })).toMatchObject({ kind, status, reason: 'TOO_SUNNY' })
  }
})

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe('every ending', () => {
  /** Milliseconds: for tests of silence, and still enough for a handshake and a token on a busy machine. */
  const SHORT = 2_000
  const openApns = (endpoint: string) =>
    createApnsProvider(
      new Map([
        ['app', { ...simulators.credentials.apns, endpoints: { production: endpoint, sandbox: endpoint } }],
      ]),
      { requestTimeoutMs: SHORT },
    )

  /** Node throws that one when a connection goes away in the same tick, which no server can bring about: see the unit test. */
  type Provoked = Exclude<ApnsEnding, 'connection_closed'>
  const apnsEndings: Record<Provoked, () => Promise<Outcome>> = {
    no_answer: () => endingOf({ silent: true }),
    unreadable_answer: () => endingOf({ status: 200, body: '<p>' }),
    connection_lost: () => endingOf({ reset: true }),
    stream_refused: () => endingOf({ goaway: true }),
    deadline: async () => {
      simulators.apns.forgets(APNS_TOKEN)
      simulators.apns.behaves(APNS_TOKEN, { silent: true })
      const before = simulators.apns.received.length
      const deadline = new AbortController()
      const outcome = providers.apns.send(apnsPush('call'), deadline.signal)
      await until(() => simulators.apns.received.length > before, { description: 'the push has arrived' })
      deadline.abort()
      return outcome
    },
    not_sent_in_time: () => providers.apns.send(apnsPush('call'), AbortSignal.abort()),
    connection_failed: async () => through(`https://127.0.0.1:${await closedPort()}`),
    connect_timeout: async () => {
      const mute = createServer().listen(0, '127.0.0.1')
      await once(mute, 'listening')
      const outcome = await through(`https://127.0.0.1:${(mute.address() as AddressInfo).port}`)
      mute.close()
      return outcome
    },
    shutting_down: async () => {
      const provider = openApns(simulators.apns.url)
      await provider.close()
      return provider.send(apnsPush('call'), never())
    },
  }

  async function through(endpoint: string): Promise<Outcome> {
    const provider = openApns(endpoint)
    const outcome = await provider.send(apnsPush('call'), never())
    await provider.close()
    return outcome
  }

  async function endingOf(answer: ApnsAnswer): Promise<Outcome> {
    simulators.apns.forgets(APNS_TOKEN)
    simulators.apns.answers(APNS_TOKEN, answer)
    return through(simulators.apns.url)
  }

  test.each(Object.keys(apnsEndings) as Provoked[])('at Apple: %s', async (ending) => {
    const { class: fault } = APNS_ENDINGS[ending]
    expect(await apnsEndings[ending]()).toMatchObject({ reason: ending, class: fault })
  })

  const openFcm = (changes: object = {}) =>
    createFcmProvider(new Map([['app', { ...simulators.credentials.fcm, ...changes }]]), { timeoutMs: SHORT })

  async function withFcm(changes: object, answer: FcmAnswer = { status: 200 }): Promise<Outcome> {
    simulators.fcm.forgets(FCM_TOKEN)
    simulators.fcm.answers(FCM_TOKEN, answer)
    const provider = openFcm(changes)
    const outcome = await provider.send(fcmPush('call'), never())
    await provider.close()
    return outcome
  }

  const fcmEndings: Record<FcmEnding, () => Promise<Outcome>> = {
    no_answer: () => withFcm({}, { silent: true }),
    connection_lost: () => withFcm({}, { reset: true }),
    unreadable_answer: () => withFcm({}, { status: 200, body: 'null' }),
    not_sent_in_time: () => providers.fcm.send(fcmPush('call'), AbortSignal.abort()),
    no_access_token: async () => withFcm({ endpoint: `https://127.0.0.1:${await closedPort()}` }),
    connection_failed: async () => {
      const others = await startSimulators({ directory })
      const provider = openFcm({ endpoint: others.fcm.url })
      await provider.send(fcmPush('call'), never())
      await others.close()
      // The first may still find the connection that is just being closed.
      const refused = async (): Promise<Outcome | undefined> => {
        const outcome = await provider.send(fcmPush('call'), never())
        return outcome.kind === 'retry' ? outcome : undefined
      }
      const outcome = await until(refused, { description: 'a connection is refused' })
      await provider.close()
      return outcome
    },
    access_token_renewed: async () => {
      let ahead = 0
      const clock = { ...systemClock, now: () => Date.now() + ahead }
      const provider = createFcmProvider(new Map([['app', simulators.credentials.fcm]]), { clock })
      await provider.send(fcmPush('call'), never())
      simulators.fcm.revokeAccessTokens()
      ahead = 2 * MINUTE
      const outcome = await provider.send(fcmPush('call'), never())
      await provider.close()
      return outcome
    },
    // Nothing that comes through the API is so odd that firebase-admin itself refuses it.
    invalid_message: () => providers.fcm.send(fcmPush('message', { expiresAt: Number.NaN }), never()),
    service_account_refused: () => withFcm({ clientEmail: 'else@example.com' }),
    shutting_down: async () => {
      const provider = openFcm()
      await provider.close()
      return provider.send(fcmPush('call'), never())
    },
  }

  test.each(Object.keys(FCM_ENDINGS) as FcmEnding[])('at Google: %s', async (ending) => {
    const { class: fault } = FCM_ENDINGS[ending]
    expect(await fcmEndings[ending]()).toMatchObject({ reason: ending, class: fault })
  })
})
