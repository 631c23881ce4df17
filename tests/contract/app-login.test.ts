import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { appOf, givenExtension, logIn, SIP_PASSWORD, verifyJwt } from '../support/app-login.ts'
import { cloneDatabase } from '../support/databases.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const SECRET = randomBytes(32).toString('hex')
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({
    backend: 'postgres',
    workers: false,
    env: { APP_JWT_SECRET: SECRET, RATE_LIMITS: 'off' },
  })
  await givenExtension(gateway, '1001')
})
afterAll(() => gateway[Symbol.asyncDispose]())

const post = (body: unknown, headers: Record<string, string> = {}) =>
  gateway.request('POST', '/api/v1/app/auth', { body, headers })

describe('a login', () => {
  test('is answered as FlowPBX answers it', async () => {
    const before = Math.floor(Date.now() / 1_000)
    const { status, json } = await logIn(gateway, '1001')
    expect(status).toBe(200)
    expect(json).not.toHaveProperty('error')
    expect(json.data).toEqual({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]{43}$/),
      expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      extension: {
        id: expect.any(Number),
        extension: '1001',
        name: 'Ada',
        email: '',
        dnd: false,
        follow_me_enabled: false,
        follow_me_numbers: [],
        follow_me_destinations: [],
        follow_me_strategy: 'sequential',
        follow_me_confirm: false,
        updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
      sip: {
        domain: '127.0.0.1',
        port: 5060,
        tls_port: 5061,
        username: '1001',
        password: SIP_PASSWORD,
        transport: 'tls',
      },
    })
    const livesFor = Date.parse(json.data.expires_at) / 1_000 - before
    expect(livesFor).toBeGreaterThanOrEqual(604_800)
    expect(livesFor).toBeLessThan(604_800 + 60)
  })

  test('gives a token that verifies with HS256 and the same hex secret, with claims of the right types', async () => {
    const { json } = await logIn(gateway, '1001')
    const { header, claims } = verifyJwt(SECRET, json.data.token)
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT' })
    expect(claims).toMatchObject({
      ext_id: json.data.extension.id,
      ext: '1001',
      iss: 'flowpbx',
      sub: '1001',
      aud: 'wakeline-app',
    })
    expect(claims.exp - claims.iat).toBe(604_800)
    expect(claims.exp).toBe(Date.parse(json.data.expires_at) / 1_000)
  })

  test('has no integer that is text', async () => {
    const { text } = await logIn(gateway, '1001')
    const { data } = JSON.parse(text)
    for (const value of [data.extension.id, data.sip.port, data.sip.tls_port]) {
      expect(Number.isInteger(value)).toBe(true)
    }
  })

  test('works with a stale token in its header, which the app always sends', async () => {
    const headers = { authorization: 'Bearer stale', accept: 'application/json' }
    expect((await logIn(gateway, '1001', { headers })).status).toBe(200)
  })

  test('does not tell a wrong password from an extension that is not there, or has none', async () => {
    await gateway.context.extensions.put(gateway.tenant.tenantId, '1002', {})
    const answers = await Promise.all([
      logIn(gateway, '1001', { password: 'wrong' }),
      logIn(gateway, '9999'),
      logIn(gateway, '1002', { password: 'x' }),
    ])
    for (const { status, json } of answers) {
      expect(status).toBe(401)
      expect(json).toMatchObject({ data: null, error: 'invalid credentials', code: 'invalid_credentials' })
    }
    const [wrong, ...others] = answers.map(({ json }) => ({ ...json, request_id: '' }))
    for (const other of others) expect(other).toEqual(wrong)
  })

  test('keeps no password in what is stored or logged', async () => {
    await logIn(gateway, '1001', { refresh: true })
    const rows = await gateway.context.db('app_sessions').select('*')
    expect(JSON.stringify(rows)).not.toContain(SIP_PASSWORD)
  })

  test.each([
    ['nothing', {}, 'extension and sip_password are required'],
    ['no password', { extension: '1001' }, 'extension and sip_password are required'],
    ['no extension', { sip_password: 'x' }, 'extension and sip_password are required'],
    ['empty values', { extension: '', sip_password: '' }, 'extension and sip_password are required'],
    ['null', 'null', 'extension and sip_password are required'],
    [
      'an endless extension',
      { extension: '1'.repeat(65), sip_password: 'x' },
      'extension exceeds maximum length',
    ],
    [
      'an endless password',
      { extension: '1', sip_password: 'ä'.repeat(257) },
      'sip_password exceeds maximum length',
    ],
    [
      'an endless domain',
      { extension: `1@${'d'.repeat(254)}`, sip_password: 'x' },
      'extension exceeds maximum length',
    ],
    [
      'an endless device',
      { extension: '1', sip_password: 'x', device_id: 'd'.repeat(201) },
      'device_id exceeds maximum length',
    ],
    ['NUL', { extension: '1\0', sip_password: 'x' }, 'extension exceeds maximum length'],
    ['a number', { extension: 1001, sip_password: 'x' }, 'invalid value for field extension'],
    ['an object', { extension: '1001', sip_password: { $ne: '' } }, 'invalid value for field sip_password'],
    ['an array', ['1001', 'x'], 'invalid json value'],
    ['text', '"1001"', 'invalid json value'],
    ['a field too many', { extension: '1001', sip_password: 'x', role: 'admin' }, 'unknown field "role"'],
    ['a prototype', '{"extension":"1","sip_password":"x","__proto__":{}}', 'unknown field "__proto__"'],
    ['bad syntax', '{"extension":1001,}', 'malformed json'],
    ['no JSON', 'extension=1001', 'malformed json'],
    ['a body cut off', '{"extension":"1001"', 'invalid request body'],
    ['a string cut off', '{"extension":"10', 'invalid request body'],
    ['two values', '{"extension":"1"} {}', 'request body must contain a single json object'],
    ['a blank body', '  ', 'request body must not be empty'],
    ['an endless body', { extension: '1', sip_password: 'x'.repeat(70_000) }, 'request body too large'],
  ])('refuses %s with the words of the contract', async (_what, body, error) => {
    const { status, json } = await post(body)
    expect({ status, error: json.error }).toEqual({ status: 400, error })
    expect(json).toMatchObject({ data: null, code: expect.any(String) })
  })

  test('refuses no body at all', async () => {
    const { status, json } = await gateway.request('POST', '/api/v1/app/auth', {
      headers: { 'content-type': 'application/json' },
    })
    expect({ status, error: json.error }).toEqual({ status: 400, error: 'request body must not be empty' })
  })

  test('takes a number as long as a PBX may make it', async () => {
    const number = '9'.repeat(64)
    expect(
      (await gateway.pbx('PUT', `/extensions/${number}`, { body: { password: SIP_PASSWORD } })).status,
    ).toBe(200)
    expect((await logIn(gateway, number)).json.data.extension.extension).toBe(number)
    expect((await gateway.pbx('PUT', `/extensions/${number}9`, { body: {} })).status).toBe(400)
  })

  test('takes a password of 256 characters that are not ASCII', async () => {
    const password = '🔑'.repeat(256)
    await givenExtension(gateway, '1003', { password })
    const { status, json } = await logIn(gateway, '1003', { password })
    expect(status).toBe(200)
    expect(json.data.sip.password).toBe(password)
  })
})

describe('which tenant is meant', () => {
  let other: { tenantId: string; pbxKey: string }
  const asOther = () => ({ authorization: `Bearer ${other.pbxKey}` })
  const put = (body: unknown, headers: Record<string, string> = {}) =>
    gateway.pbx('PUT', '/settings', { body, headers })
  /** fetch does not let a test choose its Host. */
  const logInAt = (host: string, extension: string, password = SIP_PASSWORD) => {
    const body = JSON.stringify({ extension, sip_password: password })
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers that the contract describes
    return new Promise<{ status: number; json: any }>((resolve, reject) => {
      const sent = request(
        `${gateway.url}/api/v1/app/auth`,
        { method: 'POST', headers: { host, 'content-type': 'application/json' } },
        async (response) => {
          let text = ''
          for await (const piece of response) text += piece
          resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }

  beforeAll(async () => {
    other = await gateway.otherTenant()
    await givenExtension(gateway, '2001', { password: 'of ours' })
    await givenExtension(gateway, '2001', { tenantId: other.tenantId, password: 'of theirs' })
    await put({ app_host: 'PBX.ours.example', sip: { domain: 'sip.ours.example', tls_port: 5071 } })
    await put({ app_host: 'pbx.theirs.example', sip: { transport: 'tcp' } }, asOther())
  })

  test('says the host under which the app asks, without its port and in any case', async () => {
    const ours = await logInAt('pbx.OURS.example:8443', '2001', 'of ours')
    expect(ours.json.data.sip).toMatchObject({
      domain: 'sip.ours.example',
      port: 5060,
      tls_port: 5071,
      transport: 'tls',
    })
    const theirs = await logInAt('pbx.theirs.example', '2001', 'of theirs')
    expect(theirs.json.data.sip).toMatchObject({ domain: 'pbx.theirs.example', transport: 'tcp' })
    expect((await logInAt('pbx.theirs.example', '2001', 'of ours')).status).toBe(401)
    expect((await logInAt('pbx.theirs.example', '1001')).status).toBe(401)
  })

  test('says the domain that is typed, whatever the host', async () => {
    expect((await logInAt('pbx.theirs.example', '2001@pbx.ours.example', 'of ours')).status).toBe(200)
    expect((await logIn(gateway, '2001@SIP.ours.example', { password: 'of ours' })).status).toBe(200)
    expect((await logIn(gateway, '2001@nowhere.example', { password: 'of ours' })).status).toBe(401)
  })

  test('is not guessed when several have the extension: no password is right', async () => {
    for (const password of ['of ours', 'of theirs']) {
      const { status, json } = await logIn(gateway, '2001', { password })
      expect([status, json.error]).toEqual([401, 'invalid credentials'])
    }
  })

  test('settings are read as they were set, and a host belongs to one tenant', async () => {
    const { json } = await gateway.pbx('GET', '/settings')
    expect(json.data).toEqual({
      app_host: 'pbx.ours.example',
      sip: { domain: 'sip.ours.example', port: 5060, tls_port: 5071, transport: 'tls' },
    })
    const taken = await put({ app_host: 'pbx.ours.example' }, asOther())
    expect([taken.status, taken.json.code, taken.json.field]).toEqual([409, 'app_host_taken', 'app_host'])
    expect((await put({}, asOther())).json.data.app_host).toBe('pbx.theirs.example')
    expect((await put({ app_host: null }, asOther())).json.data.app_host).toBeNull()
    await put({ app_host: 'pbx.theirs.example' }, asOther())
  })

  test('a name by which another tenant is found can be had neither as host nor as SIP domain', async () => {
    const domain = { sip: { domain: 'sip.ours.example' } }
    for (const [body, code, field] of [
      [domain, 'sip_domain_taken', 'sip.domain'],
      [{ app_host: 'SIP.ours.example' }, 'app_host_taken', 'app_host'],
      [{ sip: { domain: 'pbx.ours.example' } }, 'sip_domain_taken', 'sip.domain'],
    ] as const) {
      const { status, json } = await put(body, asOther())
      expect([status, json.code, json.field]).toEqual([409, code, field])
    }
    expect((await put(domain)).status).toBe(200)
    expect((await logIn(gateway, '2001@sip.ours.example', { password: 'of ours' })).status).toBe(200)
    // Of those who want it at the same time, one gets it.
    const wanted = { app_host: 'wanted.example', sip: { domain: 'wanted.example' } }
    const statuses = (await Promise.all([put(wanted), put(wanted, asOther())])).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, 409])
    await put({ app_host: 'pbx.ours.example', ...domain })
    await put({ app_host: 'pbx.theirs.example', sip: { domain: '' } }, asOther())
  })

  test('a name that all tenants share is nobody’s, so nobody keeps the others out', async () => {
    await using shared = await startTestGateway({
      ...{ backend: 'postgres', workers: false },
      env: { SHARED_APP_HOSTS: 'Push.example, gw.example' },
    })
    for (const [body, field] of [
      [{ app_host: 'push.example' }, 'app_host'],
      [{ app_host: 'GW.example.' }, 'app_host'],
      [{ sip: { domain: 'gw.example' } }, 'sip.domain'],
    ] as const) {
      const { status, json } = await shared.pbx('PUT', '/settings', { body })
      expect([status, json.code, json.field]).toEqual([409, 'app_host_shared', field])
    }
    expect((await shared.pbx('PUT', '/settings', { body: { app_host: 'own.example' } })).status).toBe(200)
  })

  test.each([
    ['a URL', { app_host: 'https://pbx.example' }, 'app_host'],
    ['a port of 0', { sip: { port: 0 } }, 'sip.port'],
    ['a port that is text', { sip: { tls_port: '5061' } }, 'sip.tls_port'],
    ['UDP', { sip: { transport: 'udp' } }, 'sip.transport'],
    ['a field too many', { sip: { proxy: 'x' } }, 'sip.proxy'],
  ])('settings refuse %s', async (_what, body, field) => {
    const { status, json } = await put(body)
    expect([status, json.field]).toEqual([400, field])
  })
})

test('a login without the database is a 503, and so is every request of the app', async () => {
  const { json } = await logIn(gateway, '1001')
  await using database = await cloneDatabase()
  const env = { APP_JWT_SECRET: SECRET }
  const databaseUrl = database.url
  await using lonely = await startTestGateway({ backend: 'redis', workers: false, env, databaseUrl })
  await database.drop()
  const login = await logIn(lonely, '1001')
  expect([login.status, login.json.code]).toEqual([503, 'store_unavailable'])
  const me = await appOf(lonely, json.data.token)('GET', '/me')
  expect([me.status, me.json.code]).toEqual([503, 'store_unavailable'])
  expect((await appOf(gateway, json.data.token)('GET', '/me')).status).toBe(200)
})
