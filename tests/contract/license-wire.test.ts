import { randomBytes } from 'node:crypto'
import { createTenant, type NewTenant } from '../../src/license/create-tenant.ts'
import { newLicenseKey } from '../../src/license/license-key.ts'
import { ActivatedAnswer, StatusAnswer, ValidAnswer } from '../../src/license/license-schemas.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

type Holder = { hostname: string }

/** Changes of a licence's row, and the code that each leads to. */
const NOT_IN_FORCE = [
  ['EXPIRED', { expires_at: new Date(0) }],
  ['SUSPENDED', { suspended_at: new Date() }],
  ['REVOKED', { revoked_at: new Date() }],
] as const

/** The contract of `/v1/license/*` that an unmodified FlowPBX relies on, line by line, and what we add to it. */
describe.each(BACKENDS)('the licence server on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    gateway.request('POST', `/v1/license/${path}`, { body, headers })
  const validate = (body: unknown, headers?: Record<string, string>) => post('validate', body, headers)
  const activate = (body: unknown) => post('activate', body)
  const status = (query: string, headers: Record<string, string> = {}) =>
    gateway.request('GET', `/v1/license/status${query}`, { headers })
  /** A key that no node has met, so that a change of its licence is seen at once. */
  const customer = async (terms: Partial<NewTenant> = {}) => {
    const made = await createTenant(gateway.context, { name: 'test', tier: 'free', ...terms })
    const change = (changes: Record<string, unknown>) =>
      gateway.context.db('licenses').where({ id: made.licenseId }).update(changes)
    return { ...made, change }
  }
  const mistyped = (key: string) => key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')

  describe('answers in the envelope (A.0)', () => {
    test('success has data and no error, failure has data null and an error', async () => {
      const { licenseKey } = await customer()
      const good = await validate({ license_key: licenseKey })
      expect(good.headers.get('content-type')).toContain('application/json')
      expect(Object.keys(good.json)).toEqual(['data'])
      const bad = await validate({ license_key: 'nobody' })
      expect(bad.headers.get('content-type')).toContain('application/json')
      expect(bad.json).toMatchObject({ data: null, error: expect.any(String), code: expect.any(String) })
      expect(bad.json.request_id).toBe(bad.headers.get('x-request-id'))
    })

    test('GET /healthz is alive, without an envelope (D4)', async () => {
      const answer = await gateway.request('GET', '/healthz')
      expect(answer.status).toBe(200)
      expect(answer.json).toEqual({ status: 'ok' })
    })

    test.each([
      ['/v1/license/validate', 'GET', 'POST'],
      ['/v1/license/activate', 'PUT', 'POST'],
      ['/v1/license/status', 'POST', 'GET'],
    ])('%s refuses %s', async (path, method, allowed) => {
      const answer = await gateway.request(method, path)
      expect(answer.status).toBe(405)
      expect(answer.headers.get('allow')).toBe(allowed)
      expect(answer.json).toMatchObject({ data: null, error: 'method not allowed' })
    })

    test('unknown paths and doubled slashes', async () => {
      const unknown = await post('renew', {})
      expect(unknown.status).toBe(404)
      expect(unknown.json).toMatchObject({ data: null, error: 'not found', code: 'not_found' })
      const { licenseKey } = await customer()
      const doubled = await gateway.request('POST', '//v1/license/validate', {
        body: { license_key: licenseKey },
      })
      expect(doubled.json.data.valid).toBe(true)
    })

    test('does not look at the content type', async () => {
      const { licenseKey } = await customer()
      const body = JSON.stringify({ license_key: licenseKey })
      expect((await validate(body, { 'content-type': 'text/plain' })).json.data.valid).toBe(true)
    })

    test.each(['validate', 'activate'])('%s: bodies that are none', async (path) => {
      const faults: [string, number, string, string][] = [
        ['not json', 400, 'invalid request body', 'malformed_json'],
        ['{"license_key":"x"', 400, 'invalid request body', 'malformed_json'],
        ['{}{}', 400, 'request body must contain a single json object', 'malformed_json'],
        ['null', 400, 'license_key is required', 'license_key_required'],
        ['{}', 400, 'license_key is required', 'license_key_required'],
        ['[]', 400, 'license_key is required', 'license_key_required'],
        ['{"license_key":""}', 400, 'license_key is required', 'license_key_required'],
        ['{"license_key":null}', 400, 'license_key is required', 'license_key_required'],
        ['{"license_key":5}', 400, 'invalid request body', 'invalid_request'],
        [`{"license_key":"${'x'.repeat(1_100_000)}"}`, 413, 'request body too large', 'body_too_large'],
      ]
      for (const [body, code, error, name] of faults) {
        const answer = await post(path, body)
        expect([body.slice(0, 30), answer.status]).toEqual([body.slice(0, 30), code])
        expect(answer.json).toMatchObject({ data: null, error, code: name })
      }
    })
  })

  test('takes bodies of a megabyte, and null for what is not said', async () => {
    const { licenseKey: license_key } = await customer()
    const blanks = ' '.repeat(1_000_000)
    const large = await validate(`{"license_key":"${license_key}"${blanks}}`)
    expect(large.json.data.valid).toBe(true)
    expect((await validate({ license_key: null }, { 'x-license-key': license_key })).json.data.valid).toBe(
      true,
    )
    const seat = { license_key, hostname: 'pbx1', version: null }
    expect((await post('activate', seat)).json.data.instance_id).toEqual(expect.any(String))
    expect((await post('activate', { license_key, hostname: null })).json.error).toBe('hostname is required')
    expect((await gateway.push({ license_key, push_token: null })).json.error).toBe('push_token is required')
  })

  test('differs from the contract where the docs say so', async () => {
    const { licenseKey: license_key } = await customer()
    const body = JSON.stringify({ license_key })
    const latin = await validate(body, { 'content-type': 'application/json; charset=latin1' })
    expect([latin.status, latin.json.code]).toEqual([415, 'unsupported_media_type'])
    expect((await validate({ License_Key: license_key })).json.code).toBe('license_key_required')
    expect((await validate(`${body}}`)).status).toBe(400)
    for (const hostname of ['two words', 'x'.repeat(256), 'nul\0'])
      expect((await post('activate', { license_key, hostname })).json.field).toBe('hostname')
  })

  describe('POST /v1/license/validate (A.2)', () => {
    test('says what a licence is good for; without an end there is no expires_at (D3)', async () => {
      const { licenseKey } = await customer({ tier: 'standard' })
      const { status, json } = await validate({ license_key: licenseKey })
      expect(status).toBe(200)
      expect(json.data).toEqual({
        valid: true,
        tier: 'standard',
        max_extensions: 25,
        max_installations: 5,
        entitlements: ['calls', 'messages', 'webhooks', 'offline'],
      })
    })

    test('with an end as an RFC 3339 time', async () => {
      const expiresAt = Date.now() + 86_400_000
      const { licenseKey } = await customer({ expiresAt })
      const { data } = (await validate({ license_key: licenseKey })).json
      expect(data.expires_at).toBe(new Date(expiresAt).toISOString())
      expect(ValidAnswer.strict().parse(data)).toEqual(data)
    })

    test('a key in the header does as well, and one that people have written as they do', async () => {
      const { licenseKey } = await customer()
      expect((await validate({}, { 'x-license-key': licenseKey })).json.data.valid).toBe(true)
      const written = `  ${licenseKey.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o')} `
      expect((await validate({ license_key: written })).json.data.valid).toBe(true)
    })

    test('404 for every key or licence that is no good, with the code and a hint', async () => {
      const refused = async (key: string, code: string) => {
        const answer = await validate({ license_key: key })
        expect(answer.status).toBe(404)
        expect(answer.json).toMatchObject({ data: null, error: 'license key not found or expired', code })
        expect(answer.json.hint).toEqual(expect.any(String))
        return answer.json
      }
      await refused('nobody', 'NOT_FOUND')
      await refused(newLicenseKey(), 'NOT_FOUND')
      const { hint } = await refused(mistyped(newLicenseKey()), 'KEY_MISTYPED')
      expect(hint).toContain('look at group 6 of the key')
      for (const [code, change] of NOT_IN_FORCE) {
        const { licenseKey, change: apply } = await customer()
        await apply(change)
        await refused(licenseKey, code)
      }
    })

    test('whether it is good for this installation, so many extensions, and these entitlements', async () => {
      const { licenseKey: license_key } = await customer()
      const fingerprint = 'machine:0123456789abcdef'
      const { instance_id } = (await activate({ license_key, hostname: 'pbx1', fingerprint })).json.data
      for (const wish of [
        { instance_id },
        { instance_id: instance_id.toUpperCase() },
        { fingerprint },
        { fingerprint, hostname: 'renamed' },
        { hostname: 'PBX1' },
      ]) {
        const good = await validate({ license_key, ...wish, extensions: 5, entitlements: ['calls'] })
        expect(good.json.data).toMatchObject({ valid: true, instance_id })
      }
      const refused = async (wish: Record<string, unknown>, code: string, hint: string) => {
        const { status, json } = await validate({ license_key, ...wish })
        expect(status).toBe(403)
        expect(json).toMatchObject({ data: null, error: hint, code, hint })
      }
      const missing = 'this licence has no such installation: activate it first'
      await refused({ instance_id: crypto.randomUUID() }, 'INSTALLATION_NOT_FOUND', missing)
      await refused({ fingerprint: 'machine:other' }, 'INSTALLATION_NOT_FOUND', missing)
      await refused({ hostname: 'other' }, 'INSTALLATION_NOT_FOUND', missing)
      const tooMany = 'this licence is for 5 extensions, and there would be 6'
      await refused({ extensions: 6 }, 'TOO_MANY_EXTENSIONS', tooMany)
      const notIncluded = 'this licence does not include: offline'
      await refused({ entitlements: ['calls', 'offline'] }, 'ENTITLEMENT_MISSING', notIncluded)
      await post('deactivate', { license_key, instance_id })
      const today = new Date().toISOString().slice(0, 10)
      const ended = `this installation was deactivated on ${today}: activate it again`
      await refused({ fingerprint }, 'INSTALLATION_DEACTIVATED', ended)
    })
  })

  describe('POST /v1/license/activate (A.3)', () => {
    test('gives an instance id, and the same one again', async () => {
      const { licenseKey: license_key } = await customer()
      const body = { license_key, hostname: 'pbx1', version: '1.2.3' }
      const first = await activate(body)
      expect(first.status).toBe(200)
      const { instance_id, activated_at, ...terms } = first.json.data
      expect(instance_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(new Date(activated_at).toISOString()).toBe(activated_at)
      expect(terms).toMatchObject({ tier: 'free', max_extensions: 5 })
      expect(ActivatedAnswer.strict().parse(first.json.data)).toEqual(first.json.data)
      expect((await activate(body)).json.data).toEqual(first.json.data)
    })

    test('the version may be empty or missing', async () => {
      const { licenseKey: license_key } = await customer()
      expect((await activate({ license_key, hostname: 'a', version: '' })).status).toBe(200)
      expect((await activate({ license_key, hostname: 'b' })).status).toBe(200)
    })

    test('asks for the key before the host name, and for the host name before the licence', async () => {
      expect((await activate({ hostname: '' })).json.error).toBe('license_key is required')
      for (const hostname of [undefined, '', '  ']) {
        const answer = await activate({ license_key: 'nobody', hostname })
        expect(answer.status).toBe(400)
        expect(answer.json).toMatchObject({
          data: null,
          error: 'hostname is required',
          code: 'invalid_request',
          field: 'hostname',
        })
      }
    })

    test('403 for every key or licence that is no good (D3)', async () => {
      const refused = async (key: string, code: string) => {
        const answer = await activate({ license_key: key, hostname: 'pbx1' })
        expect(answer.status).toBe(403)
        expect(answer.json).toMatchObject({ data: null, error: 'license key not found or expired', code })
        expect(answer.json.hint).toEqual(expect.any(String))
      }
      await refused('nobody', 'NOT_FOUND')
      await refused(mistyped(newLicenseKey()), 'KEY_MISTYPED')
      const { licenseKey, licenseId, change } = await customer()
      await change({ expires_at: new Date(0) })
      await refused(licenseKey, 'EXPIRED')
      expect(await gateway.context.installations.list(licenseId)).toEqual([])
    })

    test('says who holds the seats when there is none left', async () => {
      const { licenseKey: license_key } = await customer()
      const holders = ['pbx1', 'pbx2']
      for (const hostname of holders)
        await activate({ license_key, hostname, fingerprint: `secret-of-${hostname}`, version: '1.0' })
      const { status, json, text } = await activate({ license_key, hostname: 'pbx3' })
      expect(status).toBe(403)
      expect(json).toMatchObject({
        data: null,
        code: 'TOO_MANY_INSTALLATIONS',
        error: 'this licence is for 2 installations, and 2 are in use: deactivate one, or transfer its seat',
        installation_count: 2,
        max_installations: 2,
      })
      const byName = json.installations.toSorted((a: Holder, b: Holder) =>
        a.hostname.localeCompare(b.hostname),
      )
      expect(byName).toEqual(
        holders.map((hostname) => ({
          ...{ hostname, version: '1.0', instance_id: expect.any(String) },
          activated_at: expect.any(String),
          last_seen_at: expect.any(String),
        })),
      )
      expect(text).not.toContain('secret-of')
    })

    test('50 at the same time take exactly the seats there are', async () => {
      const { licenseKey: license_key, licenseId } = await customer({ tier: 'standard' })
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => activate({ license_key, hostname: `pbx${i}` })),
      )
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
      expect(answers.filter(({ json }) => json.code === 'TOO_MANY_INSTALLATIONS')).toHaveLength(45)
      expect(await gateway.context.installations.list(licenseId)).toHaveLength(5)
    })
  })

  describe('GET /v1/license/status (A.4)', () => {
    test('takes the key from the header, or else from the query, and gives it back', async () => {
      const { licenseKey } = await customer()
      await activate({ license_key: licenseKey, hostname: 'pbx1', version: '1.0' })
      const byHeader = await status('', { 'x-license-key': licenseKey })
      expect(byHeader.status).toBe(200)
      expect(byHeader.json.data).toEqual({
        key: licenseKey,
        tier: 'free',
        max_extensions: 5,
        max_installations: 2,
        entitlements: ['calls', 'messages', 'webhooks'],
        active: true,
        installation_count: 1,
        installations: [
          {
            ...{ hostname: 'pbx1', version: '1.0', instance_id: expect.any(String) },
            activated_at: expect.any(String),
            last_seen_at: expect.any(String),
          },
        ],
      })
      expect(StatusAnswer.strict().parse(byHeader.json.data)).toEqual(byHeader.json.data)
      const byQuery = await status(`?license_key=${licenseKey.toLowerCase()}`)
      expect(byQuery.json.data).toEqual({ ...byHeader.json.data, key: licenseKey.toLowerCase() })
      const both = await status('?license_key=nobody', { 'x-license-key': licenseKey })
      expect(both.json.data.key).toBe(licenseKey)
    })

    test('400 without a key', async () => {
      for (const query of ['', '?license_key=', '?license_key=a&license_key=b']) {
        const answer = await status(query)
        expect(answer.status).toBe(400)
        expect(answer.json).toMatchObject({
          data: null,
          error: 'license key is required (X-License-Key header or license_key query param)',
          code: 'license_key_required',
          field: 'license_key',
        })
      }
    })

    test('404 only for a key that is nobody’s', async () => {
      for (const [key, code] of [
        ['nobody', 'NOT_FOUND'],
        [mistyped(newLicenseKey()), 'KEY_MISTYPED'],
      ]) {
        const answer = await status(`?license_key=${key}`)
        expect(answer.status).toBe(404)
        expect(answer.json).toMatchObject({ data: null, error: 'license key not found', code })
      }
    })

    test('works for licences that are not in force, with active false and the reason', async () => {
      for (const [code, change] of NOT_IN_FORCE) {
        const { licenseKey, change: apply } = await customer()
        await apply(change)
        const answer = await status('', { 'x-license-key': licenseKey })
        expect(answer.status).toBe(200)
        expect(answer.json.data).toMatchObject({
          key: licenseKey,
          active: false,
          code,
          installation_count: 0,
        })
      }
    })

    test('stays below the 4096 bytes that FlowPBX reads, however many installations there are', async () => {
      const { licenseKey, licenseId } = await customer({
        tier: 'custom',
        maxExtensions: 5,
        maxInstallations: null,
      })
      const hostname = () => `pbx-${randomBytes(100).toString('hex')}`
      for (let i = 0; i < 40; i += 1)
        await gateway.context.installations.activate({
          ...{ license: { id: licenseId }, hostname: hostname(), version: 'ä'.repeat(64), actor: 'pbx' },
        })
      const answer = await status('', { 'x-license-key': licenseKey })
      expect(answer.json.data.installation_count).toBe(40)
      expect(answer.json.data.installations.length).toBeGreaterThan(3)
      expect(Buffer.byteLength(answer.text)).toBeLessThan(4_096)
    })
  })

  test('unknown and wrong keys answer alike but for the code and the hint', async () => {
    const shape = async (key: string) => {
      const answers = [
        await validate({ license_key: key }),
        await activate({ license_key: key, hostname: 'pbx1' }),
        await status('', { 'x-license-key': key }),
        await gateway.push({ license_key: key }),
      ]
      return answers.map(({ status, json: { code, hint, request_id, ...rest }, headers }) => ({
        status,
        rest,
        headers: [...headers.keys()].sort(),
      }))
    }
    const alike = [
      newLicenseKey(),
      mistyped(newLicenseKey()),
      'WL-',
      'FLOWPBX-0000-1111',
      randomBytes(99).toString('hex'),
    ]
    const shapes = await Promise.all(alike.map(shape))
    for (const each of shapes) expect(each).toEqual(shapes[0])
  })
})
