import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { importPKCS8, SignJWT } from 'jose'
import type { ApnsAnswer, ApnsReceived } from '../../src/simulators/apns-protocol.ts'
import type { ApnsSimulator } from '../../src/simulators/apns-simulator.ts'
import { createApnsSimulator } from '../../src/simulators/apns-simulator.ts'
import { loadOrCreateSimulatorCredentials } from '../../src/simulators/credentials.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'

/** A client of our own on raw HTTP/2: the oracle shares nothing with the product's senders. */
interface Answer {
  status: number
  headers: Record<string, unknown>
  body: string
}

const TOKEN = 'ab'.repeat(32)
const CALL = JSON.stringify({ type: 'incoming_call', call_id: 'c', caller_id: '1001' })
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

let directory: string
let simulators: Simulators
let session: ClientHttp2Session
let jwt: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'simulators-'))
  simulators = await startSimulators({ directory })
  session = openSession(simulators.apns)
  jwt = await mint()
})

afterAll(async () => {
  session.destroy()
  await simulators.close()
  await rm(directory, { recursive: true })
})

const openSession = (simulator: Pick<ApnsSimulator, 'url'>): ClientHttp2Session => {
  const opened = connect(simulator.url, { ca: simulators.credentials.apns.ca })
  opened.on('error', () => undefined)
  return opened
}

interface Minting {
  kid?: string | undefined
  iss?: string
  iat?: number | string
  alg?: string
  key?: KeyObject
}

async function mint({
  iat = nowSeconds(),
  iss,
  key,
  alg = 'ES256',
  ...given
}: Minting = {}): Promise<string> {
  const { signingKey, keyId, teamId } = simulators.credentials.apns
  const kid = 'kid' in given ? given.kid : keyId
  return new SignJWT({ iat, iss: iss ?? teamId } as Record<string, unknown>)
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
    .sign(key ?? (await importPKCS8(signingKey, 'ES256')))
}

const nowSeconds = () => Math.floor(Date.now() / 1_000)

const good = (): OutgoingHttpHeaders => ({
  ':method': 'POST',
  ':path': `/3/device/${TOKEN}`,
  authorization: `bearer ${jwt}`,
  'apns-topic': `${simulators.credentials.apns.bundleId}.voip`,
  'apns-push-type': 'voip',
  'apns-priority': '10',
  'apns-expiration': '0',
})

/** Headers set to `undefined` are left out. */
const withHeaders = (changes: OutgoingHttpHeaders): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries({ ...good(), ...changes }).filter(([, value]) => value !== undefined))

function open(headers: OutgoingHttpHeaders, body: string | Buffer = CALL, on = session): ClientHttp2Stream {
  const stream = on.request(headers, { endStream: false })
  stream.end(body)
  return stream
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  stream.setEncoding('utf8')
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  let body = ''
  for await (const chunk of stream) body += String(chunk)
  return { status: Number(headers[':status']), headers, body }
}

const send = (
  changes: OutgoingHttpHeaders = {},
  body: string | Buffer = CALL,
  on = session,
): Promise<Answer> => answerOf(open(withHeaders(changes), body, on))

const reasonOf = ({ body }: Answer): unknown => (JSON.parse(body) as { reason: unknown }).reason

const lastReceived = (simulator = simulators.apns): ApnsReceived | undefined => simulator.received.at(-1)

const nextAccepted = (simulator: ApnsSimulator, token?: string): Promise<ApnsReceived> => {
  const { promise, resolve } = Promise.withResolvers<ApnsReceived>()
  const unsubscribe = simulator.onAccepted((push) => {
    unsubscribe()
    resolve(push)
  }, token)
  return promise
}

test('a push without a fault is answered with 200, its own apns-id and nothing else', async () => {
  const id = '0f8fad5b-d9cb-469f-a165-70867728950e'
  const answer = await send({ 'apns-id': id })
  expect(answer).toMatchObject({ status: 200, body: '', headers: { 'apns-id': id } })
  expect(lastReceived()).toMatchObject({
    token: TOKEN,
    apnsId: id,
    topic: 'com.example.wakeline.voip',
    payload: { call_id: 'c' },
    verdict: { status: 200 },
    sessionId: 1,
  })
})

test('without an apns-id one is minted', async () => {
  const { headers } = await send()
  expect(headers['apns-id']).toMatch(UUID)
  expect(lastReceived()?.apnsId).toBe(headers['apns-id'])
})

describe('the verdicts', () => {
  const bundle = 'com.example.wakeline'
  const large = (bytes: number) => JSON.stringify({ text: 'x'.repeat(bytes - 11) })
  const cases: [string, number, string, OutgoingHttpHeaders, (string | Buffer)?][] = [
    ['another method', 405, 'MethodNotAllowed', { ':method': 'GET' }],
    ['another path', 404, 'BadPath', { ':path': '/3/devices/abcd' }],
    ['a longer path', 404, 'BadPath', { ':path': '/3/device/abcd/ef' }],
    ['no token', 400, 'MissingDeviceToken', { ':path': '/3/device/' }],
    ['no token and no slash', 400, 'MissingDeviceToken', { ':path': '/3/device' }],
    ['a header twice', 400, 'DuplicateHeaders', { 'apns-topic': [bundle, bundle] }],
    ['no authorization', 403, 'MissingProviderToken', { authorization: undefined }],
    ['another scheme', 403, 'MissingProviderToken', { authorization: 'Basic abc' }],
    ['no token in it', 403, 'MissingProviderToken', { authorization: 'bearer ' }],
    ['no JWT', 403, 'InvalidProviderToken', { authorization: 'bearer abc' }],
    ['an upper-case apns-id', 400, 'BadMessageId', { 'apns-id': '0F8FAD5B-D9CB-469F-A165-70867728950E' }],
    ['an apns-id that is no UUID', 400, 'BadMessageId', { 'apns-id': '42' }],
    ['no topic', 400, 'MissingTopic', { 'apns-topic': undefined }],
    ['a malformed topic', 400, 'BadTopic', { 'apns-topic': 'com example' }],
    ['a topic of another team', 400, 'TopicDisallowed', { 'apns-topic': 'com.example.other.voip' }],
    ['a topic that only begins alike', 400, 'TopicDisallowed', { 'apns-topic': `${bundle}2.voip` }],
    ['an unknown push type', 400, 'InvalidPushType', { 'apns-push-type': 'call' }],
    ['an unknown priority', 400, 'BadPriority', { 'apns-priority': '7' }],
    ['background with 10', 400, 'BadPriority', { 'apns-push-type': 'background', 'apns-topic': bundle }],
    [
      'background with the default priority',
      400,
      'BadPriority',
      { 'apns-push-type': 'background', 'apns-topic': bundle, 'apns-priority': undefined },
    ],
    ['an expiration with a fraction', 400, 'BadExpirationDate', { 'apns-expiration': '1700000000.5' }],
    ['a negative expiration', 400, 'BadExpirationDate', { 'apns-expiration': '-1' }],
    ['an expiration in milliseconds', 400, 'BadExpirationDate', { 'apns-expiration': String(Date.now()) }],
    ['a collapse id of 65 bytes', 400, 'BadCollapseId', { 'apns-collapse-id': 'x'.repeat(65) }],
    ['no body', 400, 'PayloadEmpty', {}, ''],
    ['a body that is no JSON', 400, 'PayloadEmpty', {}, 'hello'],
    ['a body that is a list', 400, 'PayloadEmpty', {}, '[1]'],
    ['an empty object', 400, 'PayloadEmpty', {}, '{}'],
    ['5,121 bytes for VoIP', 413, 'PayloadTooLarge', {}, large(5_121)],
    ['a huge body', 413, 'PayloadTooLarge', {}, large(200_000)],
    [
      '4,097 bytes for an alert',
      413,
      'PayloadTooLarge',
      { 'apns-push-type': 'alert', 'apns-topic': bundle },
      large(4_097),
    ],
    ['a token that is not hexadecimal', 400, 'BadDeviceToken', { ':path': '/3/device/xyz0' }],
    ['a token of odd length', 400, 'BadDeviceToken', { ':path': '/3/device/abc' }],
    ['voip to the plain topic', 400, 'DeviceTokenNotForTopic', { 'apns-topic': bundle }],
    ['an alert to the voip topic', 400, 'DeviceTokenNotForTopic', { 'apns-push-type': 'alert' }],
  ]
  test.each(cases)('%s: %i %s', async (_what, status, reason, headers, body = CALL) => {
    const answer = await send(headers, headers[':method'] === 'GET' ? '' : body)
    expect({ status: answer.status, reason: reasonOf(answer) }).toEqual({ status, reason })
    expect(answer.headers['apns-id']).toMatch(UUID)
    expect(lastReceived()?.verdict).toEqual({ status, reason })
  })

  const fine: [string, OutgoingHttpHeaders, string?][] = [
    ['5,120 bytes for VoIP', {}, large(5_120)],
    ['4,096 bytes for an alert', { 'apns-push-type': 'alert', 'apns-topic': bundle }, large(4_096)],
    ['background with 5', { 'apns-push-type': 'background', 'apns-topic': bundle, 'apns-priority': '5' }],
    ['no push type', { 'apns-push-type': undefined }],
    ['an expiration in seconds', { 'apns-expiration': String(Math.floor(Date.now() / 1_000) + 30) }],
    ['a collapse id of 64 bytes', { 'apns-collapse-id': 'x'.repeat(64) }],
    ['an upper-case token', { ':path': `/3/device/${TOKEN.toUpperCase()}` }],
  ]
  test.each(fine)('%s is accepted', async (_what, headers, body = CALL) => {
    expect((await send(headers, body)).status).toBe(200)
  })

  test('of several faults the first in order is answered', async () => {
    const faults: [OutgoingHttpHeaders, string][] = [
      [{ ':method': 'PUT' }, 'MethodNotAllowed'],
      [{ ':path': '/' }, 'BadPath'],
      [{ ':path': '/3/device/' }, 'MissingDeviceToken'],
      [{ authorization: undefined }, 'MissingProviderToken'],
      [{ 'apns-id': 'x' }, 'BadMessageId'],
      [{ 'apns-topic': undefined }, 'MissingTopic'],
      [{ 'apns-push-type': 'call' }, 'InvalidPushType'],
      [{ 'apns-priority': '7' }, 'BadPriority'],
      [{ 'apns-expiration': 'x' }, 'BadExpirationDate'],
      [{ 'apns-collapse-id': 'x'.repeat(65) }, 'BadCollapseId'],
      [{ ':path': '/3/device/xy' }, 'BadDeviceToken'],
    ]
    const reasons = await Promise.all(
      faults.map(async (_fault, index) => {
        // Later faults first, so that an earlier one of the same header stands.
        const changes = Object.assign(
          {},
          ...faults
            .slice(index)
            .reverse()
            .map(([change]) => change),
        )
        return reasonOf(await send(changes))
      }),
    )
    expect(reasons).toEqual(faults.map(([, reason]) => reason))
  })
})

describe('provider tokens', () => {
  const otherKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const invalid: [string, () => Promise<string>][] = [
    ['another key', () => mint({ key: otherKey })],
    ['an unknown kid', () => mint({ kid: 'ZZZZZZZZZZ' })],
    ['no kid', () => mint({ kid: undefined })],
    ['another team', () => mint({ iss: 'ZZZZZZZZZZ' })],
    ['an iat as text', () => mint({ iat: String(nowSeconds()) })],
    ['an iat in milliseconds and a fraction', () => mint({ iat: Date.now() / 7 + 0.5 })],
    [
      'another algorithm',
      () => mint({ alg: 'RS256', key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }),
    ],
    ['a changed signature', async () => `${(await mint()).slice(0, -6)}AAAAAA`],
  ]
  test.each(invalid)('signed with %s: InvalidProviderToken', async (_what, token) => {
    const answer = await send({ authorization: `bearer ${await token()}` })
    expect([answer.status, reasonOf(answer)]).toEqual([403, 'InvalidProviderToken'])
  })

  test.each([
    ['61 minutes old', -61 * 60, 403],
    ['59 minutes old', -59 * 60, 200],
    ['6 minutes in the future', 6 * 60, 403],
    ['1 minute in the future', 60, 200],
  ])('%s', async (_what, seconds, status) => {
    const answer = await send({ authorization: `bearer ${await mint({ iat: nowSeconds() + seconds })}` })
    expect(answer.status).toBe(status)
    if (status === 403) expect(reasonOf(answer)).toBe('ExpiredProviderToken')
  })

  test('a verified token ages while it is remembered', async () => {
    let now = Date.now()
    await using simulator = await ownSimulator({ clock: { now: () => now, monotonic: () => now } })
    const own = openSession(simulator)
    expect((await send({}, CALL, own)).status).toBe(200)
    now += 61 * 60_000
    expect(reasonOf(await send({}, CALL, own))).toBe('ExpiredProviderToken')
    own.destroy()
  })

  test('two tokens within 20 minutes on one connection are too many, when asked for', async () => {
    await using simulator = await ownSimulator({ minTokenUpdateMs: 20 * 60_000 })
    const own = openSession(simulator)
    const [older, newer] = await Promise.all([-25, -1].map((m) => mint({ iat: nowSeconds() + m * 60 })))
    const tooSoon = await mint({ iat: nowSeconds() })
    const statuses: number[] = []
    for (const token of [older, older, newer, tooSoon, newer]) {
      statuses.push((await send({ authorization: `bearer ${token}` }, CALL, own)).status)
    }
    expect(statuses).toEqual([200, 200, 200, 429, 200])
    own.destroy()
  })
})

const ownSimulator = (options: Partial<Parameters<typeof createApnsSimulator>[0]>) => {
  const { keyId, teamId, bundleId, signingKey } = simulators.credentials.apns
  return loadOrCreateSimulatorCredentials(directory).then(({ certificates }) =>
    createApnsSimulator({
      environment: 'production',
      accounts: [{ keyId, teamId, publicKey: createPublicKey(signingKey), bundleIds: [bundleId] }],
      certificates,
      ...options,
    }),
  )
}

describe('for a phone that is off line Apple keeps', () => {
  const asleep = (name: string): string => Buffer.from(name.padEnd(32)).toString('hex')
  const pushTo = async (token: string, text: string, changes: OutgoingHttpHeaders = {}) => {
    const { bundleId } = simulators.credentials.apns
    const headers = { 'apns-push-type': 'alert', 'apns-topic': bundleId, 'apns-expiration': undefined }
    const { status } = await send(
      { ':path': `/3/device/${token}`, ...headers, ...changes },
      JSON.stringify({ aps: { alert: text } }),
    )
    expect(status).toBe(200)
  }
  const arriving = (token: string, simulator = simulators.apns): string[] => {
    const texts: string[] = []
    simulator.onAccepted(({ payload }) => texts.push((payload.aps as { alert: string }).alert), token)
    return texts
  }
  const later = (now = Date.now()) => String(Math.floor(now / 1_000) + 60)

  test('the newest per collapse id, in the order in which they came', async () => {
    const token = asleep('collapse')
    const arrived = arriving(token)
    simulators.apns.loses(token)
    await pushTo(token, 'one of a', { 'apns-collapse-id': 'a', 'apns-expiration': later() })
    await pushTo(token, 'b', { 'apns-collapse-id': 'b', 'apns-expiration': later() })
    await pushTo(token, 'two of a', { 'apns-collapse-id': 'a', 'apns-expiration': later() })
    expect(arrived).toEqual([])
    expect(simulators.apns.keptFor(token)).toHaveLength(2)
    simulators.apns.regains(token)
    expect(arrived).toEqual(['b', 'two of a'])
    await pushTo(token, 'at once', { 'apns-collapse-id': 'a' })
    expect(arrived).toEqual(['b', 'two of a', 'at once'])
  })

  test('one of those without a collapse id, and none for which the sender said 0', async () => {
    const token = asleep('plain')
    const arrived = arriving(token)
    simulators.apns.loses(token.toUpperCase())
    await pushTo(token, 'first')
    await pushTo(token, 'second', { 'apns-expiration': later() })
    await pushTo(token, 'now or never', { 'apns-expiration': '0', 'apns-collapse-id': 'c' })
    simulators.apns.regains(token)
    expect(arrived).toEqual(['second'])
  })

  test('nothing that is out of date when the phone is back', async () => {
    let now = Date.now()
    const clock = { now: () => now, monotonic: () => now }
    const simulator = await ownSimulator({ clock })
    const own = openSession(simulator)
    const token = asleep('late')
    const arrived = arriving(token, simulator)
    simulator.loses(token)
    const headers = {
      ...{ ':path': `/3/device/${token}`, 'apns-push-type': 'alert', 'apns-expiration': later(now) },
      'apns-topic': simulators.credentials.apns.bundleId,
    }
    await send(headers, JSON.stringify({ aps: { alert: 'soon' } }), own)
    expect(simulator.keptFor(token)).toHaveLength(1)
    now += 61_000
    expect(simulator.keptFor(token)).toEqual([])
    simulator.regains(token)
    expect(arrived).toEqual([])
    own.destroy()
    await simulator.close()
  })

  test('a call like everything else: until it is out of date', async () => {
    const token = asleep('call')
    simulators.apns.loses(token)
    await send({ ':path': `/3/device/${token}` })
    expect(simulators.apns.keptFor(token)).toEqual([])
    await send({ ':path': `/3/device/${token}`, 'apns-expiration': later() })
    expect(simulators.apns.keptFor(token)).toHaveLength(1)
  })
})

describe('a payload that is not what the push type promises is noted', () => {
  const alert = { 'apns-push-type': 'alert' }
  const background = { 'apns-push-type': 'background', 'apns-priority': '5' }
  const cases: [string, OutgoingHttpHeaders, object, string | undefined][] = [
    ['a text', alert, { aps: { alert: 'Hi' } }, undefined],
    ['a badge', alert, { aps: { badge: 0 } }, undefined],
    ['a sound', alert, { aps: { sound: 'default' } }, undefined],
    ['nothing to see', alert, { aps: { 'content-available': 1 } }, expect.stringMatching(/without alert/)],
    ['no aps', alert, { type: 'x' }, expect.stringMatching(/without alert/)],
    ['aps as text', alert, { aps: 'Hi' }, 'aps is not an object'],
    ['aps as a list', alert, { aps: [] }, 'aps is not an object'],
    ['an update', background, { aps: { 'content-available': 1 }, id: 7 }, undefined],
    ['no update', background, { aps: {}, id: 7 }, expect.stringMatching(/without content-available/)],
    ['an update of 0', background, { aps: { 'content-available': 0 } }, expect.any(String)],
    ['no aps in the background', background, { id: 7 }, expect.any(String)],
    ...['alert', 'badge', 'sound'].map((key): [string, OutgoingHttpHeaders, object, string] => [
      `${key} in the background`,
      background,
      { aps: { 'content-available': 1, [key]: 1 } },
      `a background push with ${key}`,
    ]),
  ]
  test.each(cases)('%s', async (_what, headers, payload, mismatch) => {
    const topic = { 'apns-topic': 'com.example.wakeline' }
    expect((await send({ ...topic, ...headers }, JSON.stringify(payload))).status).toBe(200)
    expect(lastReceived()?.mismatch).toEqual(mismatch)
  })

  test('of a call nothing is asked', async () => {
    await send()
    expect(lastReceived()).not.toHaveProperty('mismatch')
  })
})

test('a token of the other environment is refused by either gateway', async () => {
  const sandboxToken = 'cd'.repeat(32)
  simulators.apns.registers(sandboxToken.toUpperCase(), 'sandbox')
  const path = { ':path': `/3/device/${sandboxToken}` }
  const sandbox = openSession(simulators.apnsSandbox)
  expect(reasonOf(await send(path))).toBe('BadDeviceToken')
  expect((await send(path, CALL, sandbox)).status).toBe(200)
  sandbox.destroy()
})

describe('scripted answers', () => {
  const script = (...answers: ApnsAnswer[]): string => {
    const token = Buffer.from(crypto.randomUUID()).toString('hex')
    simulators.apns.answers(token, ...answers)
    return token
  }
  const to = (token: string): OutgoingHttpHeaders => ({ ':path': `/3/device/${token}` })

  test('are used once, in order, and then pushes are accepted', async () => {
    const token = script(
      { status: 503, reason: 'ServiceUnavailable', headers: { 'retry-after': '7' } },
      { status: 410, reason: 'Unregistered', timestamp: 1_700_000_000_000 },
    )
    const first = await send(to(token))
    expect(first).toMatchObject({ status: 503, headers: { 'retry-after': '7' } })
    expect(JSON.parse(first.body)).toEqual({ reason: 'ServiceUnavailable' })
    const second = await send(to(token.toUpperCase()))
    expect(JSON.parse(second.body)).toEqual({ reason: 'Unregistered', timestamp: 1_700_000_000_000 })
    expect((await send(to(token))).status).toBe(200)
  })

  test('a request with a fault does not use one up', async () => {
    const token = script({ status: 500, reason: 'InternalServerError' })
    expect(reasonOf(await send({ ...to(token), 'apns-priority': '7' }))).toBe('BadPriority')
    expect((await send(to(token))).status).toBe(500)
  })

  test.each([
    ['an empty one', 503, ''],
    ['no JSON', 400, '{"reason":'],
    ['a body with success', 200, '{}'],
    ['a large one', 500, 'x'.repeat(10_000_000)],
    ['one that Apple would not send', 418, 'teapot'],
  ])('a body byte for byte: %s', async (_what, status, body) => {
    const answer = await send(to(script({ status, body })))
    expect([answer.status, answer.body === body]).toEqual([status, true])
  })

  test('a permanent answer stays until it is forgotten', async () => {
    const token = 'de'.repeat(32)
    simulators.apns.behaves(token, { status: 410, reason: 'ExpiredToken' })
    expect((await send(to(token))).status).toBe(410)
    expect((await send(to(token))).status).toBe(410)
    simulators.apns.forgets(token)
    expect((await send(to(token))).status).toBe(200)
  })

  test('an answer can be late, and the push reaches the phone with it', async () => {
    const token = script({ status: 200, delayMs: 30 })
    const accepted = nextAccepted(simulators.apns, token)
    const started = performance.now()
    expect((await send(to(token))).status).toBe(200)
    expect(performance.now() - started).toBeGreaterThanOrEqual(25)
    await accepted
  })

  test('silence: the phone gets the push, the sender no answer, its neighbour is served', async () => {
    const token = script({ silent: true })
    const accepted = nextAccepted(simulators.apns, token)
    const stream = open(withHeaders(to(token)))
    const heard: string[] = []
    stream.on('response', () => heard.push('response'))
    expect((await accepted).verdict).toEqual({ status: 0, reason: 'silent' })
    expect((await send()).status).toBe(200)
    expect(heard).toEqual([])
    stream.on('error', () => undefined)
    stream.close(constants.NGHTTP2_CANCEL)
  })

  test('a reset ends the stream and nothing else', async () => {
    const stream = open(withHeaders(to(script({ reset: true, code: constants.NGHTTP2_INTERNAL_ERROR }))))
    const [error] = await once(stream, 'error', { signal: AbortSignal.timeout(5_000) }).catch((e) => [e])
    expect(error).toMatchObject({ code: 'ERR_HTTP2_STREAM_ERROR' })
    expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR)
    expect((await send()).status).toBe(200)
  })

  test('GOAWAY refuses this push as not processed, answers its neighbours, ends the connection', async () => {
    const own = openSession(simulators.apns)
    await send({}, CALL, own)
    const neighbour = script({ status: 200, delayMs: 50 })
    const slow = send(to(neighbour), CALL, own)
    const refused = open(withHeaders(to(script({ goaway: true, reason: 'Shutdown' }))), CALL, own)
    refused.on('error', () => undefined)
    const refusedClosed = new Promise((resolve) => refused.on('close', resolve))
    const closed = once(own, 'close')
    const [[code, lastStreamId, debug]] = await Promise.all([
      once(own, 'goaway') as Promise<[number, number, Buffer]>,
      refusedClosed,
    ])
    expect(code).toBe(constants.NGHTTP2_NO_ERROR)
    expect(JSON.parse(debug.toString())).toEqual({ reason: 'Shutdown' })
    expect(lastStreamId).toBeLessThan(refused.id ?? 0)
    expect(refused.rstCode).toBe(constants.NGHTTP2_REFUSED_STREAM)
    expect((await slow).status).toBe(200)
    await closed
  })

  test('GOAWAY that includes this push leaves it unanswered', async () => {
    const own = openSession(simulators.apns)
    const stream = open(withHeaders(to(script({ goaway: true, includesThis: true }))), CALL, own)
    stream.on('error', () => undefined)
    const [, lastStreamId] = (await once(own, 'goaway')) as [number, number]
    expect(lastStreamId).toBe(stream.id)
    expect(stream.destroyed).toBe(false)
    own.destroy()
  })
})

test('listeners hear of accepted pushes only, and no more after they have left', async () => {
  const heard: string[] = []
  const unsubscribe = simulators.apns.onAccepted(({ apnsId }) => heard.push(apnsId))
  const { headers } = await send()
  await send({ 'apns-priority': '7' })
  expect(heard).toEqual([headers['apns-id']])
  unsubscribe()
  unsubscribe()
  await send()
  expect(heard).toHaveLength(1)
})

test('the record is bounded, and counts what it no longer has', async () => {
  await using simulator = await ownSimulator({ record: 10 })
  const own = openSession(simulator)
  for (let sent = 0; sent < 25; sent += 1) await send({ 'apns-collapse-id': String(sent) }, CALL, own)
  expect(simulator.received).toHaveLength(10)
  expect(simulator.record.total).toBe(25)
  expect(
    simulator.record.since(23).map(({ index, item }) => [index, item.headers['apns-collapse-id']]),
  ).toEqual([
    [23, '23'],
    [24, '24'],
  ])
  expect(simulator.sessionCount).toBe(1)
  own.destroy()
})

test('speaks HTTP/2 only, with a certificate that its authority signed', async () => {
  const { port } = simulators.apns
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ca: simulators.credentials.apns.ca,
    ALPNProtocols: ['h2'],
  })
  await once(socket, 'secureConnect')
  expect(socket.authorized).toBe(true)
  expect(socket.alpnProtocol).toBe('h2')
  socket.destroy()
  const old = connectTls({
    port,
    host: '127.0.0.1',
    ca: simulators.credentials.apns.ca,
    ALPNProtocols: ['http/1.1'],
  })
  await expect(once(old, 'secureConnect')).rejects.toThrow()
})

test('closing does not wait for a handshake that never ends, and can be repeated', async () => {
  const simulator = await ownSimulator({})
  const idle = connectTcp(simulator.port, '127.0.0.1')
  await once(idle, 'connect')
  const ended = new Promise((resolve) => idle.on('close', resolve))
  idle.on('error', () => undefined)
  await simulator.close()
  await simulator.close()
  await ended
})

test('closing does not wait for silent streams', async () => {
  const simulator = await ownSimulator({})
  simulator.behaves(TOKEN, { silent: true })
  const own = openSession(simulator)
  const accepted = nextAccepted(simulator)
  open(withHeaders({}), CALL, own).on('error', () => undefined)
  await accepted
  const closed = once(own, 'close')
  await simulator.close()
  await closed
  expect(simulator.openSessions).toBe(0)
})

test('a restart keeps key, authority and certificate, in files that only the owner reads', async () => {
  const before = await loadOrCreateSimulatorCredentials(directory)
  const again = await loadOrCreateSimulatorCredentials(directory)
  expect(again).toEqual(before)
  expect(await readFile(again.files.apnsKey, 'utf8')).toBe(again.apns.signingKey)
  for (const file of Object.values(again.files)) expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('two processes that start at once end up with the same credentials', async () => {
  const fresh = join(directory, 'fresh')
  const [first, second] = await Promise.all([
    loadOrCreateSimulatorCredentials(fresh),
    loadOrCreateSimulatorCredentials(fresh),
  ])
  expect(first).toEqual(second)
})

test('a port that is taken is said in one sentence, and nothing stays open', async () => {
  const { port } = simulators.apns
  await expect(startSimulators({ directory, fcmPort: port })).rejects.toThrow(
    `port ${port} on 127.0.0.1 is already taken`,
  )
})
