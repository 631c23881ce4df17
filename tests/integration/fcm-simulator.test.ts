import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { deleteApp, initializeApp } from 'firebase-admin/app'
import { getMessaging, type Message } from 'firebase-admin/messaging'
import { importPKCS8, SignJWT } from 'jose'
import type { FcmAnswer, FcmReceived } from '../../src/simulators/fcm-protocol.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'

const TOKEN = 'fJ3kT0w:APA91bH-example_registration_token'
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging'
const AUDIENCE = 'https://oauth2.googleapis.com/token'

let directory: string
let simulators: Simulators
let agent: Agent
let accessToken: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'simulators-'))
  simulators = await startSimulators({ directory })
  agent = new Agent({ keepAlive: true, ca: simulators.credentials.fcm.ca })
  accessToken = await obtainToken()
})

afterAll(async () => {
  agent.destroy()
  await simulators.close()
  await rm(directory, { recursive: true })
})

interface Answer {
  status: number
  headers: Record<string, unknown>
  body: string
}

async function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  const outgoing = request(new URL(path, simulators.fcm.url), { method: 'POST', agent, headers })
  outgoing.end(body)
  const [response] = await once(outgoing, 'response')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, body: text }
}

interface Claims {
  iss?: string
  aud?: string
  scope?: string
  iat?: number
  exp?: number
}

async function assertion(changes: Claims = {}, alg = 'RS256', key?: Uint8Array): Promise<string> {
  const { clientEmail, privateKey } = simulators.credentials.fcm
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { iss: clientEmail, aud: AUDIENCE, scope: SCOPE, iat, exp: iat + 3_600, ...changes }
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key ?? (await importPKCS8(privateKey, 'RS256')))
}

const grant = (jwt: string, type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'): Promise<Answer> =>
  post('/token', new URLSearchParams({ grant_type: type, assertion: jwt }).toString())

const obtainToken = async (): Promise<string> =>
  JSON.parse((await grant(await assertion())).body).access_token

const path = (project = simulators.credentials.fcm.projectId) => `/v1/projects/${project}/messages:send`

const send = (message: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  post(path(), JSON.stringify({ message }), { authorization: `Bearer ${accessToken}`, ...headers })

const errorOf = ({ body }: Answer) => {
  const { code, status, details = [] } = JSON.parse(body).error
  const find = (suffix: string) =>
    details.find((detail: Record<string, string>) => detail['@type']?.endsWith(suffix))
  return {
    code,
    status,
    errorCode: find('fcm.v1.FcmError')?.errorCode,
    field: find('google.rpc.BadRequest')?.fieldViolations[0].field,
  }
}

const script = (...answers: FcmAnswer[]): string => {
  const token = `token-${crypto.randomUUID()}`
  simulators.fcm.answers(token, ...answers)
  return token
}

const nextAccepted = (token: string): Promise<FcmReceived> => {
  const { promise, resolve } = Promise.withResolvers<FcmReceived>()
  const unsubscribe = simulators.fcm.onAccepted((push) => {
    unsubscribe()
    resolve(push)
  }, token)
  return promise
}

test('for a phone that is off line Google keeps each message, or the newest per collapse key, until its time is over', async () => {
  const token = `token-${crypto.randomUUID()}`
  const arrived: unknown[] = []
  simulators.fcm.onAccepted(({ payload }) => arrived.push(payload.n), token)
  simulators.fcm.loses(token)
  const messages = [
    { n: '1', android: {} },
    { n: '2', android: { ttl: '0s' } },
    { n: '3', android: { collapse_key: 'badge', ttl: '60s' } },
    { n: '4', android: { collapse_key: 'badge', ttl: '60s' } },
    { n: '5', android: { ttl: '60s' } },
  ]
  for (const { n, android } of messages) await send({ token, data: { n }, android })
  expect(arrived).toEqual([])
  simulators.fcm.regains(token)
  expect(arrived).toEqual(['1', '4', '5'])
})

describe('with firebase-admin', () => {
  /** Sends every connection to the simulator, whatever its host name. */
  class Detour extends Agent {
    override createConnection(options: ConnectionOptions, done: (error: Error | null) => void) {
      const { ca, endpoint } = simulators.credentials.fcm
      const port = Number(new URL(endpoint).port)
      const socket = connect({ ...options, host: '127.0.0.1', port, servername: 'fcm.googleapis.com', ca })
      socket.once('error', done)
      return socket
    }
  }

  async function withMessaging(use: (send: (message: Message) => Promise<string>) => Promise<void>) {
    const { projectId } = simulators.credentials.fcm
    const detour = new Detour({ keepAlive: true })
    // Its own credential would fetch the access token past the agent, from Google.
    const credential = {
      getAccessToken: async () => ({ access_token: await obtainToken(), expires_in: 3_599 }),
    }
    const app = initializeApp({ projectId, credential, httpAgent: detour }, crypto.randomUUID())
    try {
      await use((message) => getMessaging(app).send(message))
    } finally {
      await deleteApp(app)
      detour.destroy()
    }
  }

  test('its message is accepted', async () => {
    const issued = simulators.fcm.accessTokensIssued
    await withMessaging(async (sendByAdmin) => {
      const accepted = nextAccepted(TOKEN)
      const name = await sendByAdmin({
        token: TOKEN,
        data: { type: 'incoming_call', call_id: 'c', caller_id: '1001' },
        android: { priority: 'high', ttl: 30_000, collapseKey: 'call' },
      })
      expect(name).toMatch(/^projects\/wakeline-simulator\/messages\/.+/)
      expect((await accepted).message).toMatchObject({
        token: TOKEN,
        android: { priority: 'high', ttl: '30s', collapse_key: 'call' },
      })
    })
    expect(simulators.fcm.accessTokensIssued).toBe(issued + 1)
  })

  test('it understands the errors', async () => {
    const token = script(
      { status: 404, errorCode: 'UNREGISTERED' },
      { status: 429, errorCode: 'QUOTA_EXCEEDED' },
    )
    await withMessaging(async (sendByAdmin) => {
      const message = { token, data: { a: 'b' } }
      await expect(sendByAdmin(message)).rejects.toMatchObject({
        code: 'messaging/registration-token-not-registered',
      })
      await expect(sendByAdmin(message)).rejects.toMatchObject({ code: 'messaging/message-rate-exceeded' })
      await expect(sendByAdmin({ ...message, token: 'short' })).rejects.toMatchObject({
        code: 'messaging/invalid-argument',
      })
    })
  })
})

describe('the token endpoint', () => {
  test('exchanges an assertion for a bearer token', async () => {
    const { status, body } = await grant(await assertion())
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual({
      access_token: expect.stringMatching(/^ya29\./),
      expires_in: 3_599,
      token_type: 'Bearer',
    })
  })

  test('takes its own address as the audience', async () => {
    const { url } = simulators.fcm
    for (const aud of [url, `${url}/token`]) expect((await grant(await assertion({ aud }))).status).toBe(200)
  })

  const now = () => Math.floor(Date.now() / 1_000)
  const faults: [string, string, () => Promise<Answer>][] = [
    ['another grant', 'unsupported_grant_type', async () => grant(await assertion(), 'password')],
    ['no JWT', 'invalid_grant', () => grant('abc')],
    [
      'another algorithm',
      'invalid_grant',
      async () => grant(await assertion({}, 'HS256', new Uint8Array(32))),
    ],
    ['another account', 'invalid_grant', async () => grant(await assertion({ iss: 'eve@example.com' }))],
    ['another audience', 'invalid_grant', async () => grant(await assertion({ aud: 'https://example.com' }))],
    ['two hours', 'invalid_grant', async () => grant(await assertion({ exp: now() + 7_200 }))],
    [
      'the past',
      'invalid_grant',
      async () => grant(await assertion({ iat: now() - 4_000, exp: now() - 400 })),
    ],
    ['another scope', 'invalid_scope', async () => grant(await assertion({ scope: 'openid' }))],
  ]
  test.each(faults)('refuses %s: %s', async (_what, error, answer) => {
    const { status, body } = await answer()
    expect(status).toBe(400)
    expect(JSON.parse(body)).toMatchObject({ error, error_description: expect.any(String) })
  })

  test('a revoked access token is refused, a new one is not', async () => {
    const [before] = [await obtainToken()]
    simulators.fcm.revokeAccessTokens()
    const message = { token: TOKEN }
    expect((await send(message, { authorization: `Bearer ${before}` })).status).toBe(401)
    accessToken = await obtainToken()
    expect((await send(message)).status).toBe(200)
  })
})

describe('messages:send', () => {
  test('accepts a message and names it', async () => {
    const accepted = nextAccepted(TOKEN)
    const { status, body } = await send({ token: TOKEN, data: { call_id: 'c' } })
    expect(status).toBe(200)
    expect(JSON.parse(body).name).toMatch(/^projects\/wakeline-simulator\/messages\/.+/)
    expect(await accepted).toMatchObject({
      token: TOKEN,
      payload: { call_id: 'c' },
      verdict: { status: 200 },
    })
    expect(simulators.fcm.received.at(-1)).toBe(await accepted)
  })

  test.each([
    ['no token', {}],
    ['a made-up token', { authorization: 'Bearer ya29.abc.def' }],
    [
      'a forged token',
      { authorization: `Bearer ya29.${Buffer.from('1.9e15.1.00').toString('base64url')}.AAAA` },
    ],
  ])('%s: UNAUTHENTICATED', async (_what, headers) => {
    const answer = await post(path(), JSON.stringify({ message: { token: TOKEN } }), headers)
    expect(errorOf(answer)).toEqual({ code: 401, status: 'UNAUTHENTICATED' })
  })

  test('another project is not found, and that is no verdict on the token', async () => {
    const headers = { authorization: `Bearer ${accessToken}` }
    const answer = await post(path('other'), JSON.stringify({ message: { token: TOKEN } }), headers)
    expect(errorOf(answer)).toEqual({ code: 404, status: 'NOT_FOUND' })
  })

  test('another path and another method are not found', async () => {
    expect((await post('/v1/projects/p/messages', '{}')).status).toBe(404)
    expect((await post('/fcm/send', '{}')).status).toBe(404)
  })

  const data = (bytes: number) => ({ k: 'x'.repeat(bytes - 1) })
  const faults: [string, unknown, string | undefined, string | undefined][] = [
    ['no message', undefined, 'INVALID_ARGUMENT', 'message'],
    ['no addressee', { data: { a: 'b' } }, 'INVALID_ARGUMENT', 'message'],
    ['two addressees', { token: TOKEN, topic: 'news' }, undefined, 'message'],
    ['an unknown field', { token: TOKEN, priority: 'high' }, undefined, 'message'],
    ['an unknown field for Android', { token: TOKEN, android: { prio: 1 } }, undefined, 'message.android'],
    ['a number in data', { token: TOKEN, data: { a: 'b', c: 1 } }, undefined, 'message.data[1].value'],
    ['the reserved key from', { token: TOKEN, data: { from: 'x' } }, 'INVALID_ARGUMENT', 'message.data'],
    [
      'the reserved key message_type',
      { token: TOKEN, data: { message_type: 'x' } },
      'INVALID_ARGUMENT',
      'message.data',
    ],
    ['a key of Google', { token: TOKEN, data: { 'google.x': 'x' } }, 'INVALID_ARGUMENT', 'message.data'],
    ['a key of GCM', { token: TOKEN, data: { 'gcm.x': 'x' } }, 'INVALID_ARGUMENT', 'message.data'],
    ['4,097 bytes', { token: TOKEN, data: data(4_097) }, 'INVALID_ARGUMENT', undefined],
    ['2,049 bytes to a topic', { topic: 'news', data: data(2_049) }, 'INVALID_ARGUMENT', undefined],
    ['another priority', { token: TOKEN, android: { priority: 10 } }, undefined, 'message.android.priority'],
    ['a ttl as a number', { token: TOKEN, android: { ttl: 30 } }, undefined, 'message.android.ttl'],
    ['a negative ttl', { token: TOKEN, android: { ttl: '-1s' } }, undefined, 'message.android.ttl'],
    ['five weeks', { token: TOKEN, android: { ttl: '2419201s' } }, 'INVALID_ARGUMENT', 'message.android.ttl'],
    [
      'no text as collapse key',
      { token: TOKEN, android: { collapse_key: 1 } },
      undefined,
      'message.android.collapse_key',
    ],
    ['a short token', { token: 'abc' }, 'INVALID_ARGUMENT', 'message.token'],
    ['a token with a space', { token: 'abcdefgh ijkl' }, 'INVALID_ARGUMENT', 'message.token'],
    ['a short installation id', { fid: 'abcdefgh' }, 'INVALID_ARGUMENT', 'message.fid'],
    ['another alphabet', { fid: 'cRqT9x_0SLe-2bYxWvUtsA==' }, 'INVALID_ARGUMENT', 'message.fid'],
    ['a number as installation id', { fid: 7 }, undefined, 'message.fid'],
    ['a token and an installation id', { token: TOKEN, fid: 'x'.repeat(22) }, undefined, 'message'],
  ]
  test.each(faults)('refuses %s', async (_what, message, errorCode, field) => {
    const answer = await send(message)
    expect(errorOf(answer)).toEqual({ code: 400, status: 'INVALID_ARGUMENT', errorCode, field })
    expect(simulators.fcm.received.at(-1)?.verdict.status).toBe(400)
  })

  test.each([
    ['4,096 bytes', { token: TOKEN, data: data(4_096) }],
    ['HIGH and no storing', { token: TOKEN, android: { priority: 'HIGH', ttl: '0s' } }],
    ['normal and four weeks', { token: TOKEN, android: { priority: 'normal', ttl: '2419200s' } }],
    ['a fraction of a second', { token: TOKEN, android: { ttl: '0.500000000s' } }],
    ['a topic', { topic: 'news', data: data(2_048) }],
    ['an installation id', { fid: 'cRqT9x_0SLe-2bYxWvUtsA' }],
  ])('accepts %s', async (_what, message) => {
    expect((await send(message)).status).toBe(200)
  })

  test('a body that is no JSON, and one with other fields', async () => {
    const headers = { authorization: `Bearer ${accessToken}` }
    expect((await post(path(), 'hello', headers)).status).toBe(400)
    expect((await post(path(), JSON.stringify({ message: { token: TOKEN }, to: 'x' }), headers)).status).toBe(
      400,
    )
    expect((await post(path(), 'x'.repeat(100_000), headers)).status).toBe(413)
  })

  test('validate_only is answered and reaches no phone', async () => {
    const heard: string[] = []
    const unsubscribe = simulators.fcm.onAccepted(({ token }) => heard.push(token))
    const body = JSON.stringify({ validate_only: true, message: { token: TOKEN } })
    expect((await post(path(), body, { authorization: `Bearer ${accessToken}` })).status).toBe(200)
    expect(heard).toEqual([])
    unsubscribe()
  })
})

describe('scripted answers', () => {
  const codes: [number, Extract<FcmAnswer, { status: number }>, string][] = [
    [404, { status: 404, errorCode: 'UNREGISTERED' }, 'NOT_FOUND'],
    [400, { status: 400, errorCode: 'INVALID_ARGUMENT', field: 'message.token' }, 'INVALID_ARGUMENT'],
    [403, { status: 403, errorCode: 'SENDER_ID_MISMATCH' }, 'PERMISSION_DENIED'],
    [
      429,
      { status: 429, errorCode: 'QUOTA_EXCEEDED', headers: { 'retry-after': '60' } },
      'RESOURCE_EXHAUSTED',
    ],
    [503, { status: 503, errorCode: 'UNAVAILABLE' }, 'UNAVAILABLE'],
    [500, { status: 500, errorCode: 'INTERNAL' }, 'INTERNAL'],
    [401, { status: 401, errorCode: 'THIRD_PARTY_AUTH_ERROR' }, 'UNAUTHENTICATED'],
    [403, { status: 403 }, 'PERMISSION_DENIED'],
  ]
  test.each(codes)('%i %j', async (code, answer, status) => {
    const token = script(answer)
    const first = await send({ token })
    const { errorCode, field, headers } = answer
    expect(errorOf(first)).toEqual({ code, status, errorCode, field })
    expect(first.headers).toMatchObject({ ...headers })
    expect((await send({ token })).status).toBe(200)
  })

  test('a page of HTML', async () => {
    const answer = await send({ token: script({ status: 502, html: true }) })
    expect(answer).toMatchObject({ status: 502, headers: { 'content-type': 'text/html; charset=UTF-8' } })
    expect(answer.body).toMatch(/^<!DOCTYPE html>/)
  })

  test.each([
    ['an empty one', 503, ''],
    ['no JSON', 200, '{"name":'],
    ['a large one', 500, 'x'.repeat(10_000_000)],
    ['one that Google would not send', 418, 'teapot'],
  ])('a body byte for byte: %s', async (_what, status, body) => {
    const answer = await send({ token: script({ status, body }) })
    expect([answer.status, answer.body === body]).toEqual([status, true])
  })

  test('for an installation id', async () => {
    const fid = 'dRqT9x_0SLe-2bYxWvUtsA'
    simulators.fcm.answers(fid, { status: 404, errorCode: 'UNREGISTERED' })
    expect((await send({ fid })).status).toBe(404)
    expect(simulators.fcm.received.at(-1)).toMatchObject({ token: fid, verdict: { status: 404 } })
  })

  test('a broken connection', async () => {
    await expect(send({ token: script({ reset: true }) })).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('silence: the phone gets the message and the sender no answer', async () => {
    const token = script({ silent: true })
    const accepted = nextAccepted(token)
    const outgoing = request(new URL(path(), simulators.fcm.url), {
      method: 'POST',
      agent,
      headers: { authorization: `Bearer ${accessToken}` },
    })
    outgoing.on('error', () => undefined)
    outgoing.end(JSON.stringify({ message: { token } }))
    expect((await accepted).verdict).toEqual({ status: 0, errorCode: 'silent' })
    outgoing.destroy()
  })

  test('a permanent answer stays until it is forgotten, and may be late', async () => {
    const token = `token-${crypto.randomUUID()}`
    simulators.fcm.behaves(token, { status: 503, errorCode: 'UNAVAILABLE', delayMs: 10 })
    expect((await send({ token })).status).toBe(503)
    expect((await send({ token })).status).toBe(503)
    simulators.fcm.forgets(token)
    expect((await send({ token })).status).toBe(200)
  })
})

test('connections are kept', async () => {
  const before = simulators.fcm.connectionCount
  for (let sent = 0; sent < 5; sent += 1) await send({ token: TOKEN })
  expect(simulators.fcm.connectionCount - before).toBeLessThanOrEqual(1)
})

test('an access token outlives a restart', async () => {
  await using again = await startSimulators({ directory })
  const headers = { authorization: `Bearer ${accessToken}` }
  const answer = await post(
    new URL(path(), again.fcm.url).href,
    JSON.stringify({ message: { token: TOKEN } }),
    headers,
  )
  expect(answer.status).toBe(200)
})
