import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { jest } from '@jest/globals'
import { MINUTE } from '../../src/lib/units.ts'
import type { ApnsCredentials } from '../../src/push/app-credentials.ts'
import { type ApnsProviderOptions, createApnsProvider } from '../../src/push/providers/apns/apns-provider.ts'
import type { Push, PushOf } from '../../src/push/push.ts'
import { PUSH_KINDS } from '../../src/push/push-kinds.ts'
import type { ApnsAnswer } from '../../src/simulators/apns-protocol.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'
import { until } from '../support/conditions.ts'
import { apnsPush } from '../support/provider-pushes.ts'

/** Milliseconds: for tests of silence, and still enough for a handshake on a busy machine. */
const SHORT = 1_500
const REFUSED_STREAM = 7
const ROOT = rootCertificates[0] ?? ''

let directory: string
let simulators: Simulators

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'apns-provider-'))
})
afterAll(() => rm(directory, { recursive: true }))

// A fresh pair of gateways for each test, so that connections can be counted from one.
beforeEach(async () => {
  simulators = await startSimulators({ directory })
})
afterEach(() => simulators.close())

function openProvider(options: ApnsProviderOptions = {}, changes: Partial<ApnsCredentials> = {}) {
  const credentials = { ...simulators.credentials.apns, ...changes }
  const provider = createApnsProvider(new Map([['app', credentials]]), options)
  return {
    ...provider,
    /** Sends with no deadline but the provider's own. */
    wake: (push: Push) => provider.send(push, new AbortController().signal),
    [Symbol.asyncDispose]: () => provider.close(),
  }
}

const tokenOf = (n: number): string => n.toString(16).padStart(64, '0')
const TOKEN = tokenOf(1)

const pushTo = (token: string, changes: Partial<Push> = {}): PushOf<'call'> =>
  apnsPush('call', { token, ...changes }, { callUuid: randomUUID() })

/** Passes bytes on until it is frozen: then the connection looks alive and nothing arrives any more. */
async function openProxy(port: number, state?: 'frozen') {
  const sockets = new Set<Socket>()
  const kept: (() => void)[] = []
  let isSlow = state === 'frozen'
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    }
    const join = () => near.pipe(far).pipe(near)
    if (isSlow) kept.push(join)
    else join()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** All that comes is swallowed, on both sides. */
    freeze(): void {
      for (const socket of sockets) socket.unpipe().resume()
    },
    /** Both ends of each connection. */
    ends: () => sockets.size,
    /** From now on connections are taken and get no further, until `open`. */
    slow(): void {
      isSlow = true
    },
    open(): void {
      isSlow = false
      for (const join of kept.splice(0)) join()
    },
    /** Connections that get no further. */
    kept: () => kept.length,
    breakAll(): void {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('an accepted push carries everything that Apple wants', async () => {
  await using provider = openProvider()
  const push = pushTo(TOKEN)
  expect(await provider.wake(push)).toEqual({ kind: 'accepted', providerId: push.id })
  expect(simulators.apns.received).toMatchObject([
    {
      token: TOKEN,
      apnsId: push.id,
      verdict: { status: 200 },
      payload: {
        type: 'incoming_call',
        call_id: push.content.callUuid,
        caller_id: '+49301234567',
        caller_name: 'Ada Lovelace',
      },
      headers: {
        'apns-push-type': 'voip',
        'apns-topic': `${simulators.credentials.apns.bundleId}.voip`,
        'apns-priority': '10',
        'apns-expiration': String(Math.floor(push.expiresAt / 1_000)),
        'apns-id': push.id,
      },
    },
  ])
})

test('warmed up, it has its connection before the first push', async () => {
  await using provider = openProvider()
  await provider.warmUp()
  await until(() => simulators.apns.openSessions === 1, { description: 'it is open' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  expect(simulators.apns.sessionCount).toBe(1)
})

test('what is in the way of warming up is met again by the first push', async () => {
  await using proxy = await openProxy(simulators.apns.port)
  await using provider = openProvider({}, { endpoints: { production: proxy.url, sandbox: proxy.url } })
  await provider.warmUp()
  await until(() => proxy.ends() === 2, { description: 'it is on its way' })
  proxy.breakAll()
  await until(() => proxy.ends() === 0, { description: 'it is gone' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })

  const nowhere = { production: 'https://127.0.0.1:1', sandbox: 'https://127.0.0.1:1' }
  await using lost = openProvider({}, { endpoints: nowhere })
  await lost.warmUp()
  expect(await lost.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'connection_failed' })
})

test('a connection that does not come about ahead of time is given up, so that no push waits for it', async () => {
  let isGivenUp = false
  const silent = createServer((socket) => {
    socket
      .resume()
      .on('error', () => undefined)
      .on('close', () => {
        isGivenUp = true
      })
  })
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
  await using provider = openProvider(
    { requestTimeoutMs: SHORT },
    { endpoints: { production: url, sandbox: url } },
  )
  await provider.warmUp()
  await until(() => isGivenUp, { description: 'it has been given up' })
  await new Promise((resolve) => silent.close(resolve))
  // Nobody listens there any more, which the push learns at once.
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'connection_failed' })
})

test('200 pushes share one connection and one provider token', async () => {
  await using provider = openProvider()
  const pushes = Array.from({ length: 200 }, (_, n) => pushTo(tokenOf(n)))
  const outcomes = await Promise.all(pushes.map(provider.wake))
  expect(outcomes).toEqual(pushes.map(({ id }) => ({ kind: 'accepted', providerId: id })))
  expect(simulators.apns.sessionCount).toBe(1)
  expect(new Set(simulators.apns.received.map(({ headers }) => headers.authorization)).size).toBe(1)
})

test('no connection is opened before the first push, and each environment has its own', async () => {
  await using provider = openProvider()
  expect([simulators.apns.sessionCount, simulators.apnsSandbox.sessionCount]).toEqual([0, 0])
  await provider.wake(pushTo(TOKEN, { environment: 'sandbox' }))
  expect([simulators.apns.sessionCount, simulators.apnsSandbox.sessionCount]).toEqual([0, 1])
  await provider.wake(pushTo(TOKEN))
  const [sandbox] = simulators.apnsSandbox.received
  expect(simulators.apns.received[0]?.headers.authorization).toBe(sandbox?.headers.authorization)
})

test.each<[ApnsAnswer, object]>([
  [{ reset: true }, { kind: 'unknown', reason: 'connection_lost' }],
  [
    { reset: true, code: REFUSED_STREAM },
    { kind: 'retry', reason: 'stream_refused' },
  ],
])('%j is one try and becomes %j', async (answer, outcome) => {
  await using provider = openProvider()
  simulators.apns.answers(TOKEN, answer)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject(outcome)
  expect(simulators.apns.received).toHaveLength(1)
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
})

test('no sentence quotes the device token', async () => {
  await using provider = openProvider()
  const answers: ApnsAnswer[] = [{ reset: true }, { goaway: true }, { status: 400, reason: 'BadDeviceToken' }]
  for (const answer of answers) {
    simulators.apns.answers(TOKEN, answer)
    expect(JSON.stringify(await provider.wake(pushTo(TOKEN)))).not.toContain(TOKEN)
  }
})

test('silence is unknown after the time-out, and the next push takes a new connection', async () => {
  await using provider = openProvider({ requestTimeoutMs: SHORT })
  simulators.apns.answers(TOKEN, { silent: true })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'unknown', reason: 'no_answer' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  expect(simulators.apns.received.map(({ sessionId }) => sessionId)).toEqual([1, 2])
  await until(() => simulators.apns.openSessions === 1, { description: 'the silent connection is closed' })
})

test('a neighbour is still answered on a connection that was replaced', async () => {
  await using provider = openProvider({ requestTimeoutMs: 2 * SHORT })
  const answered = (token: string, delayMs: number) => {
    simulators.apns.answers(token, { status: 200, delayMs })
    return provider.wake(pushTo(token))
  }
  simulators.apns.answers(TOKEN, { silent: true })
  const silent = provider.wake(pushTo(TOKEN))
  await until(() => simulators.apns.received.length === 1, { description: 'the silent push has arrived' })
  // Takes half of the time that the silent one has; the neighbour then takes longer than the other half.
  await answered(tokenOf(3), SHORT)
  const neighbour = answered(tokenOf(2), 1.5 * SHORT)
  expect(await silent).toMatchObject({ kind: 'unknown' })
  expect(await answered(tokenOf(4), 0)).toMatchObject({ kind: 'accepted' })
  expect(await neighbour).toMatchObject({ kind: 'accepted' })
  expect(simulators.apns.received.map(({ sessionId }) => sessionId)).toEqual([1, 1, 1, 2])
})

test('the deadline of a push ends the wait: unknown once it has left', async () => {
  await using provider = openProvider()
  const deadline = new AbortController()
  simulators.apns.answers(TOKEN, { status: 200, delayMs: 200 })
  const outcome = provider.send(pushTo(TOKEN), deadline.signal)
  await until(() => simulators.apns.received.length === 1, { description: 'the push has arrived' })
  deadline.abort()
  expect(await outcome).toMatchObject({ kind: 'unknown', reason: 'deadline' })
})

test('nothing is sent after the deadline', async () => {
  await using provider = openProvider()
  const outcome = await provider.send(pushTo(TOKEN), AbortSignal.abort())
  expect(outcome).toMatchObject({ kind: 'retry', reason: 'not_sent_in_time' })
  expect(simulators.apns.sessionCount).toBe(0)
})

test('a push that cannot leave because nobody listens may be tried again', async () => {
  const nowhere = { production: 'https://127.0.0.1:1', sandbox: 'https://127.0.0.1:1' }
  await using provider = openProvider({}, { endpoints: nowhere })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'connection_failed' })
})

test('nothing is sent to a gateway for whose certificate nobody vouches', async () => {
  await using provider = openProvider({}, { ca: ROOT })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'connection_failed' })
  expect(simulators.apns.received).toEqual([])
})

test('a gateway that accepts connections and says nothing has not got the push', async () => {
  await using proxy = await openProxy(simulators.apns.port, 'frozen')
  await using provider = openProvider(
    { requestTimeoutMs: SHORT },
    { endpoints: { production: proxy.url, sandbox: proxy.url } },
  )
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'connect_timeout' })
  const deadline = new AbortController()
  const outcome = provider.send(pushTo(TOKEN), deadline.signal)
  deadline.abort()
  expect(await outcome).toMatchObject({ kind: 'retry', reason: 'not_sent_in_time' })
})

test('a broken connection leaves its pushes unknown, and the next one works', async () => {
  await using proxy = await openProxy(simulators.apns.port)
  await using provider = openProvider({}, { endpoints: { production: proxy.url, sandbox: proxy.url } })
  simulators.apns.answers(TOKEN, { silent: true })
  const outcome = provider.wake(pushTo(TOKEN))
  await until(() => simulators.apns.received.length === 1, { description: 'the push has arrived' })
  proxy.breakAll()
  expect(await outcome).toMatchObject({ kind: 'unknown', reason: 'connection_lost' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
})

test('a half-open connection is found by a ping, before a call is lost on it', async () => {
  await using proxy = await openProxy(simulators.apns.port)
  const endpoints = { production: proxy.url, sandbox: proxy.url }
  await using provider = openProvider({ pingEveryMs: 20, requestTimeoutMs: SHORT }, { endpoints })
  await provider.wake(pushTo(TOKEN))
  expect(proxy.ends()).toBe(2)
  proxy.freeze()
  await until(() => proxy.ends() < 2, { description: 'it has been given up, though nobody sent anything' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  expect(simulators.apns.sessionCount).toBe(2)
})

test('a GOAWAY that excludes a push makes it a retry, and its neighbours are still answered', async () => {
  await using provider = openProvider()
  simulators.apns.answers(tokenOf(2), { status: 200, delayMs: 100 })
  const neighbour = provider.wake(pushTo(tokenOf(2)))
  await until(() => simulators.apns.received.length === 1, { description: 'the neighbour has arrived' })
  simulators.apns.answers(TOKEN, { goaway: true })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'stream_refused' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  expect(await neighbour).toMatchObject({ kind: 'accepted' })
})

test('a GOAWAY that includes a push without an answer leaves it unknown', async () => {
  await using provider = openProvider({ requestTimeoutMs: SHORT })
  simulators.apns.answers(TOKEN, { goaway: true, includesThis: true })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'unknown' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
})

test.each([
  ['time-out', 'no_answer'],
  ['deadline', 'deadline'],
])(
  'what reached Apple is unknown at its %s, though the next connection is only being made',
  async (end, reason) => {
    await using proxy = await openProxy(simulators.apns.port)
    const endpoints = { production: proxy.url, sandbox: proxy.url }
    await using provider = openProvider({ requestTimeoutMs: SHORT }, { endpoints })
    await provider.wake(pushTo(tokenOf(2)))
    proxy.slow()
    simulators.apns.answers(TOKEN, { goaway: true, includesThis: true })
    const deadline = new AbortController()
    const silent = provider.send(pushTo(TOKEN), deadline.signal)
    const others: Promise<unknown>[] = []
    const connects = () => {
      others.push(provider.wake(pushTo(tokenOf(3))))
      return proxy.kept() > 0
    }
    await until(connects, { description: 'a new connection is on its way' })
    if (end === 'deadline') deadline.abort()
    expect(await silent).toMatchObject({ kind: 'unknown', reason })
    expect(simulators.apns.received.filter(({ token }) => token === TOKEN)).toHaveLength(1)
    await Promise.all(others)
  },
)

test('a push whose time is over while the connection is being made does not leave when it is there', async () => {
  await using proxy = await openProxy(simulators.apns.port, 'frozen')
  const endpoints = { production: proxy.url, sandbox: proxy.url }
  await using provider = openProvider({}, { endpoints })
  const deadline = new AbortController()
  const late = provider.send(pushTo(TOKEN), deadline.signal)
  const next = provider.wake(pushTo(tokenOf(2)))
  await until(() => proxy.kept() > 0, { description: 'the connection is on its way' })
  deadline.abort()
  expect(await late).toMatchObject({ kind: 'retry', reason: 'not_sent_in_time' })
  proxy.open()
  expect(await next).toMatchObject({ kind: 'accepted' })
  expect(simulators.apns.received.map(({ token }) => token)).toEqual([tokenOf(2)])
})

test('a push whose connection took too long does not leave when it is there at last', async () => {
  await using proxy = await openProxy(simulators.apns.port, 'frozen')
  const endpoints = { production: proxy.url, sandbox: proxy.url }
  await using provider = openProvider({ requestTimeoutMs: SHORT }, { endpoints })
  let isOver = false
  const late = provider.wake(pushTo(TOKEN)).finally(() => {
    isOver = true
  })
  // Later ones keep the connection, so that it is not ended together with the first.
  const neighbours: Promise<unknown>[] = []
  const untilOver = () => {
    neighbours.push(provider.wake(pushTo(tokenOf(neighbours.length + 2))))
    return isOver
  }
  await until(untilOver, { description: 'the first has been given up' })
  expect(await late).toMatchObject({ kind: 'retry', reason: 'connect_timeout' })
  proxy.open()
  await Promise.all(neighbours)
  expect(await provider.wake(pushTo(tokenOf(9_999)))).toMatchObject({ kind: 'accepted' })
  expect(simulators.apns.received.map(({ token }) => token)).not.toContain(TOKEN)
})

test('a push whose time is over while it waits for its turn at Apple never leaves', async () => {
  await using narrow = await startSimulators({ directory, maxConcurrentStreams: 1 })
  await using provider = openProvider({}, { endpoints: narrow.credentials.apns.endpoints })
  await provider.wake(pushTo(tokenOf(2)))
  narrow.apns.answers(tokenOf(2), { status: 200, delayMs: 200 })
  const first = provider.wake(pushTo(tokenOf(2)))
  await until(() => narrow.apns.received.length === 2, { description: 'the slow push has arrived' })
  const deadline = new AbortController()
  const late = provider.send(pushTo(TOKEN), deadline.signal)
  const next = provider.wake(pushTo(tokenOf(3)))
  deadline.abort()
  expect(await late).toMatchObject({ kind: 'retry', reason: 'not_sent_in_time' })
  expect(await Promise.all([first, next])).toMatchObject([{ kind: 'accepted' }, { kind: 'accepted' }])
  expect(narrow.apns.received.map(({ token }) => token)).toEqual([tokenOf(2), tokenOf(2), tokenOf(3)])
})

test.each([
  [400, 'IdleTimeout'],
  [503, 'Shutdown'],
])('after %i %s the next push takes a new connection', async (status, reason) => {
  await using provider = openProvider()
  simulators.apns.answers(TOKEN, { status, reason })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'accepted' })
  expect(simulators.apns.received.map(({ sessionId }) => sessionId)).toEqual([1, 2])
})

test('an internal error at Apple costs no neighbour its call', async () => {
  await using provider = openProvider()
  simulators.apns.answers(tokenOf(2), { status: 200, delayMs: 100 })
  const neighbour = provider.wake(pushTo(tokenOf(2)))
  simulators.apns.answers(TOKEN, { status: 500, reason: 'InternalServerError' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'InternalServerError' })
  expect(await neighbour).toMatchObject({ kind: 'accepted' })
})

test('a refused provider token is not replaced sooner than Apple allows', async () => {
  await using provider = openProvider()
  simulators.apns.behaves(TOKEN, { status: 403, reason: 'ExpiredProviderToken' })
  for (let n = 0; n < 3; n += 1) await provider.wake(pushTo(TOKEN))
  expect(new Set(simulators.apns.received.map(({ headers }) => headers.authorization)).size).toBe(1)
})

test('a provider token that Apple calls expired is renewed once, when it is old enough', async () => {
  const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 21 * MINUTE)
  await using provider = openProvider()
  clock.mockRestore()
  simulators.apns.behaves(TOKEN, { status: 403, reason: 'ExpiredProviderToken' })
  for (let n = 0; n < 3; n += 1) {
    expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', class: 'provider_token' })
  }
  expect(new Set(simulators.apns.received.map(({ headers }) => headers.authorization)).size).toBe(2)
})

test('a push that Apple finds too large goes once more, without what is only display', async () => {
  await using provider = openProvider()
  simulators.apns.answers(TOKEN, { status: 413, reason: 'PayloadTooLarge' })
  const push = apnsPush('message', { token: TOKEN })
  expect(await provider.wake(push)).toMatchObject({ kind: 'accepted', providerId: push.id })
  const [first, second, third] = simulators.apns.received
  expect([first?.apnsId, second?.apnsId, third]).toEqual([push.id, push.id, undefined])
  expect(first?.payload).toMatchObject({ aps: { alert: { body: 'See you at noon' } } })
  expect(JSON.stringify(second?.payload)).not.toMatch(/noon|Lunch|Ada/)
  expect(second?.payload).toMatchObject({ message_id: 'm-9', conversation_id: 'conv-5', seq: '42' })
})

test('a push that is still too large, or has no display, is refused', async () => {
  await using provider = openProvider()
  simulators.apns.behaves(TOKEN, { status: 413, reason: 'PayloadTooLarge' })
  const refused = { kind: 'rejected', class: 'message', reason: 'PayloadTooLarge', status: 413 }
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject(refused)
  expect(simulators.apns.received).toHaveLength(2)
  expect(await provider.wake(apnsPush('badge', { token: TOKEN }))).toMatchObject(refused)
  expect(simulators.apns.received).toHaveLength(3)
})

test.each(['../../1/apps', '', 'ab cd', 'zz', 'abc', 'ab'.repeat(201)])(
  'the token %j never reaches the path',
  async (token) => {
    await using provider = openProvider()
    const code = 'malformed_token'
    expect(provider.check(pushTo(token))).toMatchObject({ code })
    expect(await provider.wake(pushTo(token))).toMatchObject({
      kind: 'rejected',
      class: 'token',
      reason: code,
    })
    expect(simulators.apns.sessionCount).toBe(0)
  },
)

test('a PushKit token takes calls only, and the other one everything else', async () => {
  await using provider = openProvider()
  for (const kind of PUSH_KINDS) {
    expect(provider.check(apnsPush(kind))).toBeUndefined()
    const mistaken = apnsPush(kind, { tokenKind: kind === 'call' ? 'apns' : 'apns_voip' })
    const code = 'wrong_token_kind'
    expect(provider.check(mistaken)).toMatchObject({ code })
    expect(await provider.wake(mistaken)).toMatchObject({ kind: 'rejected', class: 'message', reason: code })
    expect(provider.check(apnsPush(kind, { tokenKind: 'fcm' }))).toMatchObject({ code })
  }
  expect(simulators.apns.sessionCount).toBe(0)
})

test('ids that do not fit are refused here, as Apple would', async () => {
  await using provider = openProvider()
  const push = apnsPush('call', {}, { callId: 'x'.repeat(6_000) })
  const reason = 'payload_too_large'
  expect(provider.check(push)).toMatchObject({ code: reason })
  expect(await provider.wake(push)).toMatchObject({ kind: 'rejected', class: 'message', reason })
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

test('a signing key that is none is found at the start', () => {
  expect(() => openProvider({}, { signingKey: 'no key' })).toThrow()
})

test('close waits for the answers on their way and leaves no connection', async () => {
  const provider = openProvider()
  simulators.apns.answers(TOKEN, { status: 200, delayMs: 100 })
  const outcome = provider.wake(pushTo(TOKEN))
  await until(() => simulators.apns.received.length === 1, { description: 'the push has arrived' })
  await provider.close()
  expect(await outcome).toMatchObject({ kind: 'accepted' })
  await until(() => simulators.apns.openSessions === 0, { description: 'the connection is gone' })
  expect(await provider.wake(pushTo(TOKEN))).toMatchObject({ kind: 'retry', reason: 'shutting_down' })
  expect(simulators.apns.sessionCount).toBe(1)
})
