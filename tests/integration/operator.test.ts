import { jest } from '@jest/globals'
import { ensureOperator } from '../../src/operator/ensure-operator.ts'
import { operatorCommand } from '../../src/operator/operator-command.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator, logIn, PASSWORD, sessionCookie } from '../support/operators.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false, env: { TRUST_PROXY_HOPS: '1' } })
  await ensureOperator(gateway.context, { name: 'ada', password: PASSWORD, role: 'operator' })
})
afterAll(() => gateway[Symbol.asyncDispose]())

/** Each test comes from an address of its own: the limits count per address. */
let lastAddress = 0
const from = () => {
  lastAddress += 1
  return { 'x-forwarded-for': `192.0.2.${lastAddress}` }
}

const submitForm = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}/operator/login`, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers: { ...from(), ...headers },
    redirect: 'manual',
  })

describe('the login page', () => {
  test('is a form that works without any script or file', async () => {
    const response = await fetch(`${gateway.url}/operator/login`)
    const html = await response.text()
    expect(response.status).toBe(200)
    expect(html).toContain('<form method="post" action="/operator/login">')
    expect(html).not.toMatch(/<script|https?:|src=/)
    const policy = response.headers.get('content-security-policy')
    expect(policy).toMatch(/^default-src 'none';style-src 'sha256-[^']+';/)
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('a login by form leads to the queues', async () => {
    const response = await submitForm({ name: 'ada', password: PASSWORD })
    expect(response.status).toBe(303)
    expect(response.headers.get('location')).toBe('/operator/queues')
    expect(sessionCookie(response)).toBeDefined()
  })

  test('a login by JSON does the same', async () => {
    const response = await logIn(gateway.url, { name: 'ada', password: PASSWORD }, from())
    expect(response.status).toBe(303)
    expect(sessionCookie(response)).toBeDefined()
  })

  test('a wrong password and an unknown name get the same answer', async () => {
    const wrong = await logIn(gateway.url, { name: 'ada', password: 'wrong' }, from())
    const unknown = await logIn(gateway.url, { name: 'nobody', password: 'wrong' }, from())
    const [first, second] = (await Promise.all([wrong.json(), unknown.json()])) as Record<string, unknown>[]
    expect([wrong.status, unknown.status]).toEqual([401, 401])
    expect(first).toMatchObject({
      data: null,
      error: 'name or password is wrong',
      code: 'invalid_credentials',
    })
    expect({ ...second, request_id: '' }).toEqual({ ...first, request_id: '' })
    expect(wrong.headers.getSetCookie()).toEqual([])
  })

  test('a form gets its page back, with the sentence and the name, which may hold anything', async () => {
    const response = await submitForm({ name: '"><script>alert(1)</script>', password: 'wrong' })
    const html = await response.text()
    expect(response.status).toBe(401)
    expect(html).toContain('Name or password is wrong.')
    expect(html).toContain('value="&quot;&gt;&lt;script&gt;')
    expect(html).not.toContain('<script>')
  })

  test.each([
    ['no password', { name: 'ada' }],
    ['an object for a name', { name: { $ne: '' }, password: 'x' }],
    ['a field too many', { name: 'ada', password: PASSWORD, role: 'admin' }],
    ['an endless password', { name: 'ada', password: 'x'.repeat(2_000) }],
  ])('%s is refused', async (_what, body) => {
    const response = await logIn(gateway.url, body, from())
    expect(response.status).toBe(400)
    expect(response.headers.getSetCookie()).toEqual([])
  })

  test('a body of another kind is refused', async () => {
    const headers = { 'content-type': 'text/plain', ...from() }
    const response = await logIn(gateway.url, { name: 'ada', password: PASSWORD }, headers)
    expect(response.status).toBe(415)
  })
})

describe('the session', () => {
  test('its cookie is for this site and for HTTP only, for twelve hours', async () => {
    const response = await logIn(gateway.url, { name: 'ada', password: PASSWORD }, from())
    const [cookie] = response.headers.getSetCookie()
    expect(cookie).toMatch(
      /^wakeline_session=[\w-]{43}; Max-Age=43200; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/,
    )
  })

  test('its cookie is Secure when the browser speaks HTTPS', async () => {
    const https = { ...from(), 'x-forwarded-proto': 'https' }
    const response = await logIn(gateway.url, { name: 'ada', password: PASSWORD }, https)
    expect(response.headers.getSetCookie()[0]).toMatch(/; HttpOnly; Secure; SameSite=Strict$/)
  })

  test('is stored as a hash and ends at logout', async () => {
    const { cookie } = await givenOperator(gateway, 'admin')
    const [, token] = cookie.split('=')
    const rows = await gateway.context.db('operator_sessions').select('token_hash')
    expect(JSON.stringify(rows)).not.toContain(token)
    const queues = () => fetch(`${gateway.url}/operator/queues/api/queues`, { headers: { cookie } })
    expect((await queues()).status).toBe(200)

    const out = await fetch(`${gateway.url}/operator/logout`, {
      method: 'POST',
      headers: { cookie },
      redirect: 'manual',
    })
    expect(out.status).toBe(303)
    expect(out.headers.getSetCookie()[0]).toMatch(/^wakeline_session=; .*Expires=Thu, 01 Jan 1970/)
    expect((await queues()).status).toBe(401)
  })

  test('ends after its time, and the next login clears it away', async () => {
    const { cookie, name } = await givenOperator(gateway, 'admin')
    await gateway.context.db('operator_sessions').update({ expires_at: new Date(Date.now() - 1) })
    const late = await fetch(`${gateway.url}/operator/queues/api/queues`, { headers: { cookie } })
    expect(late.status).toBe(401)
    await logIn(gateway.url, { name, password: PASSWORD }, from())
    expect(await gateway.context.db('operator_sessions').select('operator_id')).toHaveLength(1)
  })

  test('the login page tells who is logged in and offers the way out', async () => {
    const { cookie, name } = await givenOperator(gateway, 'viewer')
    const html = await (await fetch(`${gateway.url}/operator/login`, { headers: { cookie } })).text()
    expect(html).toContain(`Signed in as ${name} (viewer).`)
    expect(html).toContain('action="/operator/logout"')
  })
})

describe('guessing', () => {
  test('locks the name after ten tries, also for the right password, and says until when', async () => {
    await ensureOperator(gateway.context, { name: 'grace', password: PASSWORD, role: 'viewer' })
    for (let i = 0; i < 10; i += 1) {
      const wrong = await logIn(gateway.url, { name: 'grace', password: `guess ${i}` }, from())
      expect(wrong.status).toBe(401)
    }
    const locked = await logIn(gateway.url, { name: 'grace', password: PASSWORD }, from())
    expect(locked.status).toBe(429)
    const seconds = Number(locked.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(800)
    expect(seconds).toBeLessThanOrEqual(900)
    expect(await locked.json()).toMatchObject({ code: 'rate_limited', error: 'too many failed logins' })

    const form = await submitForm({ name: 'grace', password: PASSWORD })
    expect(form.status).toBe(429)
    expect(form.headers.get('retry-after')).toBeTruthy()
    expect(await form.text()).toContain('Too many failed logins. Try again in 15 min.')
    expect((await logIn(gateway.url, { name: 'ada', password: PASSWORD }, from())).status).toBe(303)
  })

  test('locks the address after twenty tries at any names', async () => {
    const address = from()
    for (let i = 0; i < 20; i += 1)
      await logIn(gateway.url, { name: `name ${i}`, password: 'guess' }, address)
    expect((await logIn(gateway.url, { name: 'ada', password: PASSWORD }, address)).status).toBe(429)
    expect((await logIn(gateway.url, { name: 'ada', password: PASSWORD }, from())).status).toBe(303)
  })

  test('a right password is no try', async () => {
    const address = from()
    for (let i = 0; i < 25; i += 1) {
      expect((await logIn(gateway.url, { name: 'ada', password: PASSWORD }, address)).status).toBe(303)
    }
  })
})

describe('other sites', () => {
  const foreign = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[]

  test.each(foreign)('cannot log anybody in or out, or touch a job: %j', async (headers) => {
    const { cookie } = await givenOperator(gateway, 'admin')
    const login = await logIn(gateway.url, { name: 'ada', password: PASSWORD }, { ...headers, ...from() })
    const post = { redirect: 'manual', headers: { ...headers, cookie } } as const
    const logout = await fetch(`${gateway.url}/operator/logout`, { ...post, method: 'POST' })
    const promote = `${gateway.url}/operator/queues/api/queues/calls/promote`
    const write = await fetch(promote, { ...post, method: 'PUT' })
    for (const response of [login, logout, write]) {
      expect(response.status).toBe(403)
      expect(response.headers.getSetCookie()).toEqual([])
      expect(await response.json()).toMatchObject({ code: 'cross_origin' })
    }
    expect((await fetch(promote, { method: 'PUT', headers: { cookie } })).status).toBe(200)
  })

  test('our own pages are let through, also over plain HTTP and behind a proxy that changes Host', async () => {
    const own = [
      { origin: gateway.url },
      { origin: 'https://calls.example', 'sec-fetch-site': 'same-origin' },
    ]
    for (const headers of own as Record<string, string>[]) {
      const response = await logIn(
        gateway.url,
        { name: 'ada', password: PASSWORD },
        { ...headers, ...from() },
      )
      expect(response.status).toBe(303)
    }
  })
})

describe('ensureOperator', () => {
  test('makes an operator once and never touches him again', async () => {
    const { context, url } = gateway
    const first = { name: 'linus', password: PASSWORD, role: 'viewer' } as const
    expect(await ensureOperator(context, first)).toBe(true)
    expect(await ensureOperator(context, { ...first, password: 'another', role: 'admin' })).toBe(false)
    expect((await logIn(url, { name: 'linus', password: 'another' }, from())).status).toBe(401)
    expect((await logIn(url, { name: 'linus', password: PASSWORD }, from())).status).toBe(303)
    const stored = await context.operators.findByName('linus')
    expect(stored).toMatchObject({ role: 'viewer' })
    expect(stored?.passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })
})

describe('wakeline operator add', () => {
  const add = (...words: string[]) => {
    const command = operatorCommand((work) => work(gateway.context))
    for (const each of command.commands) each.exitOverride().configureOutput({ writeErr: () => undefined })
    return command.parseAsync(['add', ...words], { from: 'user' })
  }

  test('makes an account that can log in with the password it shows, once', async () => {
    const printed = jest.spyOn(console, 'log').mockReturnValue()
    await add('--name', 'margaret h.', '--role', 'admin')
    const [[text]] = printed.mock.calls as [[string]]
    printed.mockRestore()
    const { name, role, password } = JSON.parse(text)
    expect({ name, role }).toEqual({ name: 'margaret h.', role: 'admin' })
    expect((await logIn(gateway.url, { name, password }, from())).status).toBe(303)
    const stored = await gateway.context.operators.findByName(name)
    expect(stored?.passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(JSON.stringify(stored)).not.toContain(password)
    await expect(add('--name', name)).rejects.toThrow('there is an operator named margaret h. already')
  })

  test.each(['', ' ', ' ada', 'a\nb', '\u001b[2J', 'x'.repeat(101)])('%j is no name', async (name) => {
    await expect(add('--name', name)).rejects.toThrow(/option '--name <name>' argument .* is invalid/s)
  })

  test('a role is one of three', async () => {
    await expect(add('--name', 'x', '--role', 'root')).rejects.toThrow(
      /Allowed choices are viewer, operator, admin/,
    )
  })
})
