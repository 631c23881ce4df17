import { MINUTE } from '../../src/lib/units.ts'
import { pruneAppLogins } from '../../workers/prune-app-logins.ts'
import { appOf, givenExtension, SIP_PASSWORD } from '../support/app-login.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false, env: { RATE_LIMITS: 'off' } })
  await givenExtension(gateway, '1001')
})
afterAll(() => gateway[Symbol.asyncDispose]())

const links = () => gateway.context.db('provisioning_links')
const order = (body: Record<string, unknown> = {}, number = '1001') =>
  gateway.pbx('POST', `/extensions/${number}/provisioning-links`, {
    body: { sip_password: SIP_PASSWORD, ...body },
  })
const tokenOf = (url: string) => new URL(url).searchParams.get('token') ?? ''
const givenLink = async (body: Record<string, unknown> = {}) => {
  const { status, json } = await order(body)
  if (status !== 200) throw new Error(`the link was refused with ${status}: ${json.error}`)
  return tokenOf(json.data.url)
}
const provision = (token: unknown, body: Record<string, unknown> = {}) =>
  gateway.request('POST', '/api/v1/app/provision', { body: { token, ...body } })

test('a link says where to ask, for how long, and is a QR code as well', async () => {
  const before = Date.now()
  const { json } = await order()
  const { url, qr, expires_at } = json.data
  expect(new URL(url).protocol).toBe('wakeline:')
  expect(new URL(url).searchParams.get('server')).toBe(`https://${new URL(gateway.url).host}`)
  expect(tokenOf(url)).toMatch(/^[\w-]{43}$/)
  expect(qr).toMatch(/^<svg [\s\S]*<\/svg>\s*$/)
  const life = Date.parse(expires_at) - before
  expect(life).toBeGreaterThan(9 * MINUTE)
  expect(life).toBeLessThanOrEqual(11 * MINUTE)
})

test('the server is what the PBX says, else the host of its apps', async () => {
  const given = await order({ server_url: 'http://10.0.0.5:8080' })
  expect(new URL(given.json.data.url).searchParams.get('server')).toBe('http://10.0.0.5:8080')
  await gateway.pbx('PUT', '/settings', { body: { app_host: 'pbx.example.com' } })
  const known = await order()
  expect(new URL(known.json.data.url).searchParams.get('server')).toBe('https://pbx.example.com')
})

test('its token logs in once, with the answer of a login', async () => {
  const token = await givenLink()
  const first = await provision(token, { device_id: 'phone-1' })
  expect(first.status).toBe(200)
  expect(first.json.data).toMatchObject({
    extension: { extension: '1001' },
    sip: { username: '1001', password: SIP_PASSWORD },
    refresh_token: expect.stringMatching(/^wlr_/),
  })
  expect((await appOf(gateway, first.json.data.token)('GET', '/me')).status).toBe(200)
  const second = await provision(token)
  expect([second.status, second.json.code]).toEqual([410, 'provisioning_link_spent'])
})

test('of twenty at once one gets in', async () => {
  const token = await givenLink()
  const answers = await Promise.all(Array.from({ length: 20 }, () => provision(token)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(410)])
})

test('neither token nor password is readable where it is stored, and the password is gone after use', async () => {
  await links().delete()
  const token = await givenLink()
  const stored = JSON.stringify(await links().select('*'))
  expect(stored).not.toContain(token)
  expect(stored).not.toContain(SIP_PASSWORD)
  await provision(token)
  expect(await links().select('password_sealed')).toEqual([{ password_sealed: '' }])
})

test('an expired link is as good as none, and what is in it is forgotten', async () => {
  await links().delete()
  const token = await givenLink()
  await links().update({ expires_at: new Date() })
  expect((await provision(token)).status).toBe(410)
  await pruneAppLogins(gateway.context).run({}, { number: 0, last: true, pauseMs: 0 }, 'prune-app-logins')
  expect(await links().select('*')).toEqual([])
})

test('a link dies with the password that it carries', async () => {
  await givenExtension(gateway, '1002')
  const { json } = await order({}, '1002')
  await gateway.pbx('PUT', '/extensions/1002', { body: { password: 'another-password' } })
  expect((await provision(tokenOf(json.data.url))).status).toBe(410)
})

test('a sealed password that somebody has moved to another link opens nothing', async () => {
  await links().delete()
  const [one, two] = [await givenLink(), await givenLink()]
  const [first, second] = await links().select('token_hash', 'password_sealed')
  await links().where({ token_hash: first?.token_hash }).update({ password_sealed: second?.password_sealed })
  const statuses = [(await provision(one)).status, (await provision(two)).status].sort()
  expect(statuses).toEqual([200, 500])
})

test.each([
  ['a wrong password', { sip_password: 'wrong' }, '1001', 400, 'wrong_sip_password'],
  ['an extension that is not there', {}, '9999', 404, 'unknown_extension'],
  ['too short a life', { ttl: 59 }, '1001', 400, 'invalid_request'],
  ['too long a life', { ttl: 3_601 }, '1001', 400, 'invalid_request'],
  ['a server that is no website', { server_url: 'javascript:alert(1)' }, '1001', 400, 'invalid_request'],
  ['no password', { sip_password: undefined }, '1001', 400, 'invalid_request'],
])('%s gets no link', async (_what, body, number, status, code) => {
  const answer = await order(body, number)
  expect([answer.status, answer.json.code]).toEqual([status, code])
})

test('a PBX makes links for extensions of its own tenant only', async () => {
  const other = await gateway.otherTenant()
  const answer = await gateway.pbx('POST', '/extensions/1001/provisioning-links', {
    body: { sip_password: SIP_PASSWORD },
    headers: { authorization: `Bearer ${other.pbxKey}` },
  })
  expect([answer.status, answer.json.code]).toEqual([404, 'unknown_extension'])
})

test.each([
  ['nothing', {}, 'token is required'],
  ['a number', { token: 1 }, 'invalid value for field token'],
  ['a field too many', { token: 'x', extension: '1001' }, 'unknown field "extension"'],
])('%s is a bad request', async (_what, body, error) => {
  const { status, json } = await gateway.request('POST', '/api/v1/app/provision', { body })
  expect([status, json.error]).toEqual([400, error])
})

test.each(['x', '', '../../etc/passwd', "' OR 1=1 --"])('a token that is none: %j', async (token) => {
  expect([400, 410]).toContain((await provision(token)).status)
})
