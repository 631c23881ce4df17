import { randomBytes } from 'node:crypto'
import { DAY } from '../../src/lib/units.ts'
import { newLicenseKey } from '../../src/license/license-key.ts'
import { logIn, signJwt, verifyJwt } from '../support/app-login.ts'
import { flowpbxApp, givenFlowpbxPeople } from '../support/flowpbx-people.ts'
import { type Answer, apnsToken, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenLicensed } from '../support/licensed.ts'
import { takeDatabaseAway } from '../support/take-database-away.ts'

const SECRET = randomBytes(32).toString('hex')

/** `as int` in the app, and `int` in the PBX: text under one of these ends the request there. */
const WHOLE_NUMBERS = [
  ...['id', 'mailbox_id', 'duration', 'billable_dur', 'trunk_id', 'port', 'tls_port'],
  ...['total', 'limit', 'offset', 'ext_id', 'iat', 'exp', 'max_extensions', 'installation_count'],
]
const MAY_BE_NULL = ['billable_dur', 'duration', 'trunk_id']
/** Numbers of telephones, which are text though they have nothing but digits. */
const DIGITS = [
  ...['extension', 'ext', 'sub', 'username', 'caller_id_num', 'callee', 'follow_me_numbers', 'number'],
]

/** Every value that is no object, with the key under which it stands. */
function* leavesOf(value: unknown, key = ''): Generator<[key: string, leaf: unknown]> {
  if (Array.isArray(value)) for (const one of value) yield* leavesOf(one, key)
  else if (typeof value !== 'object' || value === null) yield [key, value]
  else for (const [name, one] of Object.entries(value)) yield* leavesOf(one, name)
}

const UNAUTHORISED = {
  header: 'authentication required',
  scheme: 'invalid authorization header',
  token: 'invalid or expired token',
  claims: 'invalid token claims',
  login: 'invalid credentials',
}

/** The conformance checklist of FlowPBX's wire contract: the points that concern the app's routes and the gateway's. */
describe.each(BACKENDS)('FlowPBX’s checklist on %s: both', (backend) => {
  let gateway: TestGateway
  let people: Awaited<ReturnType<typeof givenFlowpbxPeople>>
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, env: { APP_JWT_SECRET: SECRET, RATE_LIMITS: 'off' } })
    people = await givenFlowpbxPeople(gateway)
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    gateway.request('POST', path, { body, headers })
  const get = (path: string) => gateway.request('GET', path)

  test('6: every integer is a JSON number, in all answers of a whole session', async () => {
    const { ada, pbx, message } = people
    await pbx.change('1001', { follow_me_destinations: [{ number: '0170123', delay: 5, timeout: 20 }] })
    const { licenseKey: license_key } = gateway.tenant
    const login = await logIn(gateway, '1001')
    const answers = [
      await gateway.push(),
      await post('/v1/license/validate', { license_key }),
      await post('/v1/license/activate', { license_key, hostname: 'pbx1', version: '1.2.3' }),
      await get(`/v1/license/status?license_key=${license_key}`),
      await get('/api/v1/health'),
      login,
      await ada.ask('POST', '/app/push-token', { token: apnsToken(), platform: 'apns' }),
      await ada.ask('GET', '/app/me'),
      await ada.ask('PUT', '/app/me', { dnd: false }),
      await ada.ask('GET', '/app/voicemail'),
      await ada.ask('PUT', `/app/voicemail/${message}/read`, ''),
      await ada.ask('GET', '/app/history?limit=50&offset=0'),
      await ada.ask('GET', '/app/directory'),
    ]
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const { claims } = verifyJwt(SECRET, login.json.data.token)
    const leaves = [...answers.map(({ json }) => json), claims].flatMap((json) => [...leavesOf(json)])

    const whole = leaves.filter(([key]) => WHOLE_NUMBERS.includes(key))
    expect(whole.filter(([, leaf]) => leaf !== null && !Number.isSafeInteger(leaf))).toEqual([])
    const nulls = whole.filter(([, leaf]) => leaf === null).map(([key]) => key)
    expect([...new Set(nulls)].sort()).toEqual(MAY_BE_NULL)
    // Each of them was there, so that it could have been wrong.
    const seen = new Set(whole.filter(([, leaf]) => leaf !== null).map(([key]) => key))
    expect([...seen].sort()).toEqual(WHOLE_NUMBERS.toSorted())

    const digits = leaves.filter(([, leaf]) => typeof leaf === 'string' && /^-?\d+$/.test(leaf))
    expect(digits.filter(([key]) => !DIGITS.includes(key))).toEqual([])
  })

  test('12: 401 only in the five cases of JWT and login', async () => {
    const told = await unauthorised()
    expect([...new Set(told)].sort()).toEqual(Object.values(UNAUTHORISED).sort())

    await expectStatuses([...appFaults(), ...loginFaults(), ...pushFaults(), ...licenseFaults()])
    using _away = takeDatabaseAway(gateway)
    await expectStatuses(withoutDatabase())
  })

  type Case = [what: string, status: number, ask: () => Promise<Answer>]
  const expectStatuses = async (cases: readonly Case[]) => {
    const told = await Promise.all(cases.map(async ([what, , ask]) => `${(await ask()).status} ${what}`))
    expect(told).toEqual(cases.map(([what, status]) => `${status} ${what}`))
  }

  const appRoutes = (): [method: string, path: string, body?: unknown][] => [
    ['GET', '/app/me'],
    ['PUT', '/app/me', { dnd: false }],
    ['GET', '/app/voicemail'],
    ['PUT', `/app/voicemail/${people.message}/read`],
    ['GET', `/app/voicemail/${people.message}/audio`],
    ['GET', '/app/history?limit=50&offset=0'],
    ['GET', '/app/directory'],
    ['POST', '/app/push-token', { token: apnsToken(), platform: 'apns' }],
  ]

  /** The sentences of all answers that have to be 401. */
  async function unauthorised(): Promise<string[]> {
    const { claims } = verifyJwt(SECRET, people.ada.token)
    const now = Math.floor(Date.now() / 1_000)
    const other = randomBytes(32).toString('hex')
    const wrong: [authorization: string | undefined, error: string][] = [
      [undefined, UNAUTHORISED.header],
      [`Basic ${people.ada.token}`, UNAUTHORISED.scheme],
      [people.ada.token, UNAUTHORISED.scheme],
      ['Bearer e30.e30.e30', UNAUTHORISED.token],
      [`Bearer ${signJwt(other, claims)}`, UNAUTHORISED.token],
      [`Bearer ${signJwt(SECRET, { ...claims, exp: now - 1 })}`, UNAUTHORISED.token],
      [`Bearer ${signJwt(SECRET, { ...claims, ext_id: 0 })}`, UNAUTHORISED.claims],
    ]
    const refused = [
      { answer: await logIn(gateway, '1001', { password: 'wrong' }), error: UNAUTHORISED.login },
      { answer: await logIn(gateway, '9999'), error: UNAUTHORISED.login },
    ]
    for (const [method, path, body] of appRoutes())
      for (const [authorization, error] of wrong)
        refused.push({ answer: await flowpbxApp(gateway, authorization)(method, path, body), error })
    const told = refused.map(({ answer: { status, json } }) => [status, json.error])
    expect(told).toEqual(refused.map(({ error }) => [401, error]))
    return refused.map(({ answer }) => answer.json.error)
  }

  function appFaults(): Case[] {
    const { ada, grace, eve, message } = people
    const nobody = flowpbxApp(gateway)
    const put = (body: unknown) => () => ada.ask('PUT', '/app/me', body)
    const push = (body: unknown) => () => ada.ask('POST', '/app/push-token', body)
    const pad = 'x'.repeat(20_000)
    return [
      ['an unknown route', 404, () => ada.ask('GET', '/app/contacts')],
      ['an unknown route, without a token', 404, () => nobody('GET', '/app/contacts')],
      ['an unknown method', 405, () => ada.ask('PATCH', '/app/me', {})],
      ['an unknown method, without a token', 405, () => nobody('PATCH', '/app/me', {})],
      ['malformed JSON', 400, put('{"dnd":')],
      ['no body', 400, put('')],
      ['no field', 400, put({})],
      ['an unknown field', 400, put({ extension: '1002' })],
      ['a wrong type', 400, put({ dnd: 'yes' })],
      ['a huge body', 400, put({ dnd: true, pad: 'x'.repeat(70_000) })],
      ['no push token', 400, push({ platform: 'apns' })],
      ['an unknown platform', 400, push({ token: apnsToken(), platform: 'hms' })],
      ['no message id', 400, () => ada.ask('PUT', '/app/voicemail/x/read')],
      ['no such message', 404, () => ada.ask('PUT', '/app/voicemail/999999/read')],
      ['a colleague’s message', 404, () => grace.ask('PUT', `/app/voicemail/${message}/read`)],
      ['a colleague’s recording', 404, () => grace.ask('GET', `/app/voicemail/${message}/audio`)],
      ['another PBX’s message', 404, () => eve.ask('PUT', `/app/voicemail/${message}/read`)],
      ['another PBX’s recording', 404, () => eve.ask('GET', `/app/voicemail/${message}/audio`)],
      ['a wrong limit', 400, () => ada.ask('GET', '/app/history?limit=0')],
      ['a wrong offset', 400, () => ada.ask('GET', '/app/history?offset=-1')],
      ['a token beyond any header', 431, () => flowpbxApp(gateway, `Bearer ${pad}`)('GET', '/app/me')],
    ]
  }

  function loginFaults(): Case[] {
    const login = (body: unknown, authorization?: string) => () =>
      flowpbxApp(gateway, authorization)('POST', '/app/auth', body)
    // Five failures lock an extension, also one that nobody has.
    const locked = async () => {
      for (let i = 0; i < 5; i += 1) await logIn(gateway, '7777')
      return logIn(gateway, '7777')
    }
    return [
      ['a login without a body', 400, login('')],
      ['a login with malformed JSON', 400, login('{"extension":')],
      ['a login without a password', 400, login({ extension: '1001' })],
      ['a login with a number', 400, login({ extension: 1001, sip_password: 'x' })],
      ['a login with an unknown field', 400, login({ extension: '1001', sip_password: 'x', otp: 'x' })],
      ['no login, with a stale token', 400, login({}, 'Bearer e30.e30.e30')],
      ['an unknown method of a login', 405, () => flowpbxApp(gateway)('GET', '/app/auth')],
      ['a login that is locked', 429, locked],
    ]
  }

  function pushFaults(): Case[] {
    const push = (change: Record<string, unknown>) => () => gateway.push(change)
    const dead = apnsToken()
    gateway.simulators.apns.behaves(dead, { status: 410, reason: 'Unregistered', timestamp: Date.now() })
    const ended = async () => (await givenLicensed(gateway, { expiresAt: Date.now() - 30 * DAY })).ring()
    const inHeader = { headers: { 'x-license-key': 'nobody' } }
    const stale = { headers: { authorization: 'Bearer e30.e30.e30' } }
    return [
      ['a push without a key', 400, push({ license_key: '' })],
      ['a push without a token', 400, push({ push_token: '' })],
      ['a push with malformed JSON', 400, () => post('/v1/push', '{"license_key":')],
      ['a push with a key of nobody', 403, push({ license_key: newLicenseKey() })],
      ['a push with one in the header', 403, () => gateway.push({ license_key: undefined }, inHeader)],
      ['a push of a licence that has ended', 403, ended],
      ['a push to a dead token', 502, push({ push_token: dead })],
      ['a good push with a stale token of the app', 200, () => gateway.push({}, stale)],
      ['a push that is a GET', 405, () => get('/v1/push')],
      ['an unknown route of the gateway', 404, () => post('/v1/pushes', {})],
    ]
  }

  function licenseFaults(): Case[] {
    const [license_key, hostname] = [newLicenseKey(), 'pbx1']
    return [
      ['validate without a key', 400, () => post('/v1/license/validate', {})],
      ['validate with a key of nobody', 404, () => post('/v1/license/validate', { license_key })],
      ['validate with malformed JSON', 400, () => post('/v1/license/validate', '{')],
      ['activate without a host', 400, () => post('/v1/license/activate', { license_key })],
      ['activate with a key of nobody', 403, () => post('/v1/license/activate', { license_key, hostname })],
      ['the status of nothing', 400, () => get('/v1/license/status')],
      ['the status of nobody', 404, () => get('/v1/license/status?license_key=nobody')],
    ]
  }

  /** Nobody can say whether a token is good, and so it is not said to be bad. */
  function withoutDatabase(): Case[] {
    const license_key = newLicenseKey()
    return [
      ...appRoutes().map(([method, path, body]): Case => {
        return [`${method} ${path}`, 503, () => people.ada.ask(method, path, body)]
      }),
      ['a login', 503, () => logIn(gateway, '1001')],
      ['a push', 500, () => gateway.push({ license_key })],
      ['validate', 500, () => post('/v1/license/validate', { license_key })],
    ]
  }
})
