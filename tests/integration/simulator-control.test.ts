import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { importPKCS8, SignJWT } from 'jose'
import { describeSimulators, writeEnvironmentFile } from '../../src/simulators/simulator-environment.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'

const TOKEN = 'ab'.repeat(32)
const CALL = '0f8fad5b-d9cb-469f-a165-70867728950e'

let directory: string
let simulators: Simulators
let wakeline: Server
let apiUrl: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'simulators-'))
  simulators = await startSimulators({ directory })
  wakeline = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(201).end())
  })
  wakeline.listen(0, '127.0.0.1')
  await once(wakeline, 'listening')
  apiUrl = `http://127.0.0.1:${(wakeline.address() as AddressInfo).port}`
})

afterAll(async () => {
  wakeline.closeAllConnections()
  wakeline.close()
  await simulators.close()
  await rm(directory, { recursive: true })
})

/** The fields of all answers together; each answer has some of them. */
interface ControlBody {
  rang: unknown[]
  registrations: unknown[]
  total: number
  next: number
}

async function control(method: string, path: string, body?: unknown) {
  const response = await fetch(`${simulators.controlUrl}${path}`, {
    method,
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as ControlBody }
}

async function push(token: string, url = simulators.apns.url): Promise<number> {
  const { signingKey, keyId, teamId, bundleId, ca } = simulators.credentials.apns
  const jwt = await new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: keyId })
    .setIssuer(teamId)
    .setIssuedAt()
    .sign(await importPKCS8(signingKey, 'ES256'))
  const session = connect(url, { ca })
  const stream = session.request({
    ':method': 'POST',
    ':path': `/3/device/${token}`,
    authorization: `bearer ${jwt}`,
    'apns-topic': `${bundleId}.voip`,
    'apns-push-type': 'voip',
  })
  stream.end(JSON.stringify({ call_id: CALL, caller_id: '2002' }))
  const [headers] = await once(stream, 'response')
  session.destroy()
  return headers[':status']
}

const phone = (changes: Record<string, unknown> = {}) => ({
  platform: 'apns',
  api_url: apiUrl,
  pbx_key: 'pbx-key',
  extension: '1001',
  registers_after_ms: 0,
  ...changes,
})

async function untilRegistered(token: string) {
  const deadline = performance.now() + 5_000
  for (;;) {
    const { body } = await control('GET', `/phones/${token}`)
    if (body.registrations.length > 0) return body
    if (performance.now() > deadline) throw new Error('the phone did not register within 5 s')
  }
}

test('a phone that was put rings, registers and can be looked at', async () => {
  expect(await control('PUT', `/phones/${TOKEN}`, phone())).toEqual({
    status: 200,
    body: { phone: true, answer: false },
  })
  expect(await push(TOKEN)).toBe(200)
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(await untilRegistered(TOKEN)).toEqual({
    platform: 'apns',
    rang: [{ call_uuid: CALL, at: time, caller_id: '2002' }],
    duplicates: 0,
    registrations: [{ call_uuid: CALL, at: time, status: 201 }],
    errors: [],
  })
})

test('putting it again replaces it, deleting ends it', async () => {
  await control('PUT', `/phones/${TOKEN}`, phone({ registers_after_ms: null }))
  expect((await control('GET', `/phones/${TOKEN}`)).body.rang).toEqual([])
  expect((await control('GET', '/health')).body).toEqual({ status: 'ok', phones: 1 })
  expect((await control('DELETE', `/phones/${TOKEN.toUpperCase()}`)).body).toEqual({ removed: true })
  expect(await control('GET', `/phones/${TOKEN}`)).toEqual({ status: 404, body: { error: 'no such phone' } })
  expect((await control('DELETE', `/phones/${TOKEN}`)).body).toEqual({ removed: false })
})

test('a permanent answer needs no phone, and goes with DELETE', async () => {
  const token = 'cd'.repeat(32)
  await control('PUT', `/phones/${token}`, {
    platform: 'apns',
    answer: { status: 410, reason: 'Unregistered' },
  })
  expect(await push(token)).toBe(410)
  await control('DELETE', `/phones/${token}`)
  expect(await push(token)).toBe(200)
})

test.each(['', 'teapot'])('an answer may have the body %j', async (body) => {
  const token = 'cd'.repeat(32)
  const answer = { status: 418, body }
  expect((await control('PUT', `/phones/${token}`, { platform: 'apns', answer })).status).toBe(200)
  expect(await push(token)).toBe(418)
  await control('DELETE', `/phones/${token}`)
})

test('a phone of the sandbox is known there only', async () => {
  const token = 'ef'.repeat(32)
  await control('PUT', `/phones/${token}`, phone({ environment: 'sandbox' }))
  expect(await push(token)).toBe(400)
  expect(await push(token, simulators.apnsSandbox.url)).toBe(200)
  expect((await untilRegistered(token)).rang).toHaveLength(1)
})

test('what was received is listed from a number on, without tokens', async () => {
  const { body: before } = await control('GET', '/received?provider=apns&since=0')
  await push(TOKEN)
  const { body } = await control('GET', `/received?provider=apns&since=${before.next}`)
  expect(body).toMatchObject({
    total: before.total + 1,
    next: before.next + 1,
    items: [
      {
        index: before.next,
        token_sha256: createHash('sha256').update(TOKEN).digest('hex'),
        topic: 'com.example.wakeline.voip',
        payload: { call_id: CALL },
        status: 200,
      },
    ],
  })
  expect(JSON.stringify(body)).not.toContain(TOKEN)
  expect((await control('GET', '/received?provider=fcm')).body).toEqual({ total: 0, next: 0, items: [] })
})

describe('malformed input', () => {
  const bodies: [string, unknown][] = [
    ['no JSON', '{'],
    ['a list', []],
    ['no platform', phone({ platform: undefined })],
    ['another platform', phone({ platform: 'webpush' })],
    ['another environment', phone({ environment: 'test' })],
    ['an unknown field', phone({ colour: 'red' })],
    ['no URL', phone({ api_url: 'somewhere' })],
    ['no key', phone({ pbx_key: undefined })],
    ['an empty extension', phone({ extension: '' })],
    ['no delay', phone({ registers_after_ms: undefined })],
    ['a negative delay', phone({ registers_after_ms: -1 })],
    ['a delay as text', phone({ registers_after_ms: '5' })],
    ['neither a phone nor an answer', { platform: 'apns' }],
    ['an answer without a status', { platform: 'apns', answer: { reason: 'Unregistered' } }],
    ['an answer with an object as body', { platform: 'apns', answer: { status: 500, body: {} } }],
    ['an answer of status 99', { platform: 'apns', answer: { status: 99 } }],
    [
      'a header that would break the connection',
      { platform: 'apns', answer: { status: 500, headers: { connection: 'x' } } },
    ],
    [
      'a header with a line break',
      { platform: 'fcm', answer: { status: 500, headers: { 'retry-after': '1\r\nx: y' } } },
    ],
  ]
  test.each(bodies)('%s: 400', async (_what, body) => {
    const token = '12'.repeat(32)
    const answer = await control('PUT', `/phones/${token}`, body)
    expect(answer).toEqual({ status: 400, body: { error: expect.any(String) } })
    expect(JSON.stringify(answer)).not.toContain(token)
    expect((await control('GET', `/phones/${token}`)).status).toBe(404)
  })

  test.each([
    ['GET', '/received?provider=apple', 400],
    ['GET', '/received', 400],
    ['GET', '/received?provider=apns&since=-1', 400],
    ['GET', '/received?provider=apns&since=x', 400],
    ['GET', '/phones/%E0%A4%A', 400],
    ['GET', '/elsewhere', 404],
    ['POST', '/health', 405],
    ['PATCH', `/phones/${TOKEN}`, 405],
  ])('%s %s: %i', async (method, path, status) => {
    expect(await control(method, path)).toEqual({ status, body: { error: expect.any(String) } })
  })

  test('a body that is too large: 413', async () => {
    expect((await control('PUT', `/phones/${TOKEN}`, ' '.repeat(70_000))).status).toBe(413)
  })
})

test('the environment file points another process at the simulators', async () => {
  const file = await writeEnvironmentFile(simulators, directory)
  const environment = parseEnv(await readFile(file, 'utf8'))
  expect(environment).toEqual({
    APNS_KEY_FILE: simulators.files.apnsKey,
    APNS_KEY_ID: simulators.credentials.apns.keyId,
    APNS_TEAM_ID: simulators.credentials.apns.teamId,
    APNS_BUNDLE_ID: 'com.example.wakeline',
    APNS_ENDPOINT: simulators.apns.url,
    APNS_SANDBOX_ENDPOINT: simulators.apnsSandbox.url,
    FCM_CREDENTIALS_FILE: simulators.files.serviceAccount,
    FCM_ENDPOINT: simulators.fcm.url,
    PROVIDER_CA_FILE: simulators.files.ca,
  })
  expect(describeSimulators(simulators, file)).toContain(simulators.controlUrl)
  expect(describeSimulators(simulators, file)).not.toContain('PRIVATE KEY')
})
