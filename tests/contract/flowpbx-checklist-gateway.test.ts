import { DAY } from '../../src/lib/units.ts'
import { newLicenseKey } from '../../src/license/license-key.ts'
import {
  type Answer,
  apnsToken,
  BACKENDS,
  callId,
  fcmToken,
  startTestGateway,
  type TestGateway,
} from '../support/gateway.ts'
import { givenLicensed, times } from '../support/licensed.ts'
import { takeDatabaseAway } from '../support/take-database-away.ts'

/**
 * The conformance checklist of FlowPBX's wire contract, point by point: what its PBX asks of a gateway. What its app asks is in
 * flowpbx-checklist-app.test.ts, and what concerns both in flowpbx-checklist-both.test.ts.
 */
describe.each(BACKENDS)('FlowPBX’s checklist on %s: the gateway', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, patient: true })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  /** As its client reads an answer: it stops after 4096 bytes. */
  const MOST_BYTES = 4_096
  const post = (path: string, body: unknown) => gateway.request('POST', path, { body })
  const validate = (body: unknown) => post('/v1/license/validate', body)
  const activate = (body: unknown) => post('/v1/license/activate', body)
  const statusOf = (key: string) => gateway.request('GET', `/v1/license/status?license_key=${key}`)

  type Case = readonly [what: string, status: number, error: string, ask: () => Promise<Answer>]
  const expectRefusals = async (cases: readonly Case[]) => {
    for (const [what, expected, error, ask] of cases) {
      const { status, json, text, headers } = await ask()
      expect({ what, status, data: json?.data, error: json?.error }).toEqual({
        ...{ what, status: expected, data: null, error },
      })
      expect(headers.get('content-type')).toMatch(/^application\/json\b/)
      expect(Buffer.byteLength(text)).toBeLessThan(MOST_BYTES)
    }
  }

  test('1: a good push is 200, delivered, with its call_id, below 4096 bytes and without an error', async () => {
    const { licenseKey } = gateway.tenant
    const longest = `${'a'.repeat(247)}@10.0.0.5`
    for (const change of [
      { push_platform: 'apns', push_token: apnsToken(), call_id: callId() },
      { push_platform: 'fcm', push_token: fcmToken(), call_id: callId(), caller_id: '' },
      { push_platform: 'apns', push_token: apnsToken(), call_id: longest, caller_id: '0'.repeat(256) },
    ]) {
      const { status, json, text } = await gateway.push(change, { headers: { 'x-license-key': licenseKey } })
      expect(status).toBe(200)
      expect(json.data.delivered).toBe(true)
      expect(json.data.call_id).toBe(change.call_id)
      expect(Buffer.byteLength(text)).toBeLessThan(MOST_BYTES)
      expect(json).not.toHaveProperty('error')
    }
  })

  test('2: each 400, 403, 429, 500, 502 and 503 has its exact error, and data null', async () => {
    await expectRefusals([...badPushes(), ...badLicenseRequests(), ...badKeys(), ...failingProviders()])
    await expectRefusals([
      ['one push too many', 429, 'rate limit exceeded', await onePushTooMany()],
      ...(await withoutDatabase()),
    ])
    await using bare = await startTestGateway({ backend, workers: false, isUnconfigured: true })
    const error = 'push service not configured'
    await expectRefusals([
      ['no credentials of any app', 503, error, () => bare.push()],
      // That is looked at before the key.
      ['nor a key', 503, error, () => bare.push({ license_key: '' })],
    ])
  })

  /** In the order of its checks: of two faults the first one is told. */
  function badPushes(): Case[] {
    const key = { license_key: gateway.tenant.licenseKey }
    const [token, platform] = [{ push_token: apnsToken() }, { push_platform: 'apns' }]
    const whole = { ...key, ...token, ...platform, caller_id: '', call_id: callId() }
    const cases: [string, unknown, string][] = [
      ['nothing', {}, 'license_key is required'],
      ['an empty key', { ...whole, license_key: '' }, 'license_key is required'],
      ['only a key', key, 'push_token is required'],
      ['an empty token', { ...whole, push_token: '' }, 'push_token is required'],
      ['key and token', { ...key, ...token }, 'push_platform must be fcm or apns'],
      ['an unknown platform', { ...whole, push_platform: 'hms' }, 'push_platform must be fcm or apns'],
      ['no call id', { ...key, ...token, ...platform }, 'call_id is required'],
      ['an empty call id', { ...whole, call_id: '' }, 'call_id is required'],
      ['a wrong key, and no call id', { ...whole, license_key: 'x', call_id: '' }, 'call_id is required'],
      ['no JSON', 'push', 'invalid request body'],
      ['half a body', '{"license_key":"x"', 'invalid request body'],
      ['an unknown field', { ...whole, colour: 'red' }, 'invalid request body'],
      ['a number', { ...whole, call_id: 5 }, 'invalid request body'],
      ['two objects', '{}{}', 'request body must contain a single json object'],
    ]
    return cases.map(([what, body, error]) => [what, 400, error, () => post('/v1/push', body)])
  }

  function badLicenseRequests(): Case[] {
    const [inBody, noJson] = ['license_key is required', 'invalid request body']
    const anywhere = 'license key is required (X-License-Key header or license_key query param)'
    return [
      ['validate nothing', 400, inBody, () => validate({})],
      ['validate no JSON', 400, noJson, () => validate('key')],
      ['activate nothing', 400, inBody, () => activate({ hostname: 'pbx1' })],
      ['activate nowhere', 400, 'hostname is required', () => activate({ license_key: 'x' })],
      ['activate no JSON', 400, noJson, () => activate('key')],
      ['status of nothing', 400, anywhere, () => statusOf('')],
      ['status of nobody', 404, 'license key not found', () => statusOf('nobody')],
    ]
  }

  function badKeys(): Case[] {
    const error = 'invalid or expired license key'
    const ended = async () => {
      const { ring } = await givenLicensed(gateway, { expiresAt: Date.now() - 30 * DAY })
      return ring()
    }
    return [
      ['a key of nobody', 403, error, () => gateway.push({ license_key: newLicenseKey() })],
      ['no key of ours', 403, error, () => gateway.push({ license_key: 'FLOWPBX-0000-1111' })],
      ['a licence that has ended', 403, error, ended],
    ]
  }

  function failingProviders(): Case[] {
    const error = 'push delivery failed'
    const { apns, fcm } = gateway.simulators
    const [dead, ours, gone] = [apnsToken(), apnsToken(), fcmToken()]
    apns.behaves(dead, { status: 410, reason: 'Unregistered', timestamp: Date.now() })
    apns.behaves(ours, { status: 400, reason: 'TopicDisallowed' })
    fcm.behaves(gone, { status: 404, errorCode: 'UNREGISTERED' })
    return [
      ['a dead token of Apple', 502, error, () => gateway.push({ push_token: dead })],
      ['a dead token of Google', 502, error, () => gateway.push({ push_token: gone, push_platform: 'fcm' })],
      ['a fault of the gateway', 502, error, () => gateway.push({ push_token: ours })],
    ]
  }

  async function onePushTooMany(): Promise<() => Promise<Answer>> {
    const { ring } = await givenLicensed(gateway)
    const answers = await times(60, () => ring())
    const refused = answers.filter((answer) => answer.status !== 200)
    expect(refused.length).toBeGreaterThan(0)
    return ring
  }

  /** Of a licence that the gateway has not met: those that it knows go on. */
  async function withoutDatabase(): Promise<Case[]> {
    const { licenseKey: license_key, ring } = await givenLicensed(gateway)
    const away = (ask: () => Promise<Answer>) => async () => {
      using _away = takeDatabaseAway(gateway)
      return await ask()
    }
    const hostname = 'pbx1'
    return [
      ['a push', 500, 'internal error', away(ring)],
      ['validate', 500, 'internal error', away(() => validate({ license_key }))],
      ['activate', 500, 'internal error', away(() => activate({ license_key, hostname }))],
      ['status', 500, 'internal error', away(() => statusOf(license_key))],
    ]
  }

  test('3: validate says 404 where activate says 403, and perpetual licences have no expires_at', async () => {
    const error = 'license key not found or expired'
    const ended = await givenLicensed(gateway, { expiresAt: Date.now() - DAY })
    for (const license_key of [newLicenseKey(), 'nobody', ended.licenseKey]) {
      await expectRefusals([
        ['validate', 404, error, () => validate({ license_key })],
        ['activate', 403, error, () => activate({ license_key, hostname: 'pbx1', version: '1.2.3' })],
      ])
    }

    const answersFor = async (license_key: string) => {
      const [valid, known] = await Promise.all([validate({ license_key }), statusOf(license_key)])
      expect([valid.status, known.status]).toEqual([200, 200])
      expect([valid.json.data.valid, known.json.data.active]).toEqual([true, true])
      return [valid.json.data, known.json.data]
    }
    const perpetual = await givenLicensed(gateway)
    for (const data of await answersFor(perpetual.licenseKey)) {
      expect(Object.keys(data)).not.toContain('expires_at')
      expect(data).toMatchObject({ tier: 'free', max_extensions: 5 })
    }
    const expiresAt = Date.now() + DAY
    const limited = await givenLicensed(gateway, { expiresAt })
    for (const { expires_at } of await answersFor(limited.licenseKey)) {
      expect(expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
      expect(Date.parse(expires_at)).toBe(expiresAt)
    }
  })

  test('4: GET /healthz is without the envelope, GET /api/v1/health with it', async () => {
    const healthz = await gateway.request('GET', '/healthz')
    expect([healthz.status, healthz.json]).toEqual([200, { status: 'ok' }])
    const health = await gateway.request('GET', '/api/v1/health')
    expect([health.status, health.json]).toEqual([200, { data: { status: 'ok', needs_setup: false } }])
  })

  test('13: of 20 pushes of one licence at the same time none is lost by the default limits', async () => {
    // The smallest licence, and a ring group of phones of both kinds.
    const { ring } = await givenLicensed(gateway)
    const phones = Array.from({ length: 20 }, (_, i) =>
      i % 2
        ? { push_platform: 'fcm', push_token: fcmToken() }
        : { push_platform: 'apns', push_token: apnsToken() },
    )
    const call_id = callId()
    const answers = await Promise.all(phones.map((phone) => ring({ ...phone, call_id })))
    expect(answers.map(({ status }) => status)).toEqual(phones.map(() => 200))
    expect(answers.map(({ json }) => json.data)).toEqual(
      phones.map(() => expect.objectContaining({ delivered: true, call_id })),
    )
    const { apns, fcm } = gateway.simulators
    const arrived = [...apns.received, ...fcm.received].map(({ token }) => token)
    for (const { push_token } of phones) {
      expect([push_token, arrived.filter((token) => token === push_token).length]).toEqual([push_token, 1])
    }
  })
})
