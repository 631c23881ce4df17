import { randomUUID } from 'node:crypto'
import { MAX_SESSIONS } from '../../src/app/session-store.ts'
import { DAY, MINUTE, SECOND } from '../../src/lib/units.ts'
import { pruneAppLogins } from '../../workers/prune-app-logins.ts'
import { appOf, givenExtension, logIn, SIP_PASSWORD } from '../support/app-login.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator } from '../support/operators.ts'

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

describe.each(BACKENDS)('sessions on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false, nodes: 2, env: { RATE_LIMITS: 'off' } })
    await givenExtension(gateway, '1001')
    await givenExtension(gateway, '1002')
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  beforeEach(() => gateway.context.db('app_sessions').delete())

  const sessions = () => gateway.context.db('app_sessions')
  const givenLogin = async (extension = '1001', options: Parameters<typeof logIn>[2] = {}) => {
    const { status, json } = await logIn(gateway, extension, options)
    if (status !== 200) throw new Error(`the login was refused with ${status}: ${json.error}`)
    const { token, refresh_token: refreshToken } = json.data
    const { sid, ext_id: extensionId } = claimsOf(token)
    return { ...json.data, token, refreshToken, sid, extensionId, app: appOf(gateway, token) }
  }
  const refresh = (refreshToken: unknown, node = 0) => {
    const base = gateway.nodes[node]?.url ?? gateway.url
    return gateway.request('POST', '/api/v1/app/auth/refresh', {
      body: { refresh_token: refreshToken },
      base,
    })
  }
  /** As if the last rotation had been so long ago. */
  const age = (sid: string, ms: number) =>
    sessions()
      .where({ id: sid })
      .update({ refreshed_at: new Date(Date.now() - ms) })

  test('a logout ends the session at once, on every node', async () => {
    const { app, token, sid } = await givenLogin()
    expect((await app('POST', '/auth/logout')).json.data).toEqual({ status: 'ok' })
    for (const { url } of gateway.nodes) {
      const headers = { authorization: `Bearer ${token}` }
      const { status, json } = await gateway.request('GET', '/api/v1/app/me', { headers, base: url })
      expect([status, json.error]).toEqual([401, 'invalid or expired token'])
    }
    expect(await sessions().first('revoked_why').where({ id: sid })).toEqual({ revoked_why: 'logout' })
  })

  test('the list shows one’s own, and which of them asks', async () => {
    const first = await givenLogin('1001', { device_id: 'phone-1', name: 'Pixel' })
    const second = await givenLogin()
    await givenLogin('1002')
    const { status, json } = await first.app('GET', '/sessions')
    expect(status).toBe(200)
    expect(json.data).toHaveLength(2)
    expect(json.data[0]).toMatchObject({ id: second.sid, device_id: null, name: '', current: false })
    expect(json.data[1]).toEqual({
      id: first.sid,
      device_id: 'phone-1',
      name: 'Pixel',
      address: '127.0.0.1',
      created_at: expect.stringMatching(/Z$/),
      last_seen_at: expect.stringMatching(/Z$/),
      expires_at: expect.stringMatching(/Z$/),
      current: true,
    })
  })

  test('one ends another of one’s own, and nobody else’s', async () => {
    const first = await givenLogin()
    const second = await givenLogin()
    const foreign = await givenLogin('1002')
    for (const id of [foreign.sid, randomUUID()]) {
      const { status, json } = await first.app('DELETE', `/sessions/${id}`)
      expect([status, json.code]).toEqual([404, 'unknown_session'])
    }
    expect((await first.app('DELETE', '/sessions/1')).status).toBe(400)
    expect((await first.app('DELETE', `/sessions/${second.sid}`)).status).toBe(200)
    expect((await first.app('DELETE', `/sessions/${second.sid}`)).status).toBe(404)
    expect((await second.app('GET', '/me')).status).toBe(401)
    expect((await foreign.app('GET', '/me')).status).toBe(200)
  })

  test('a new login on a phone takes the place of the one before, on that phone only', async () => {
    const first = await givenLogin('1001', { device_id: 'phone-1' })
    const elsewhere = await givenLogin('1001', { device_id: 'phone-2' })
    const colleague = await givenLogin('1002', { device_id: 'phone-1' })
    const second = await givenLogin('1001', { device_id: 'phone-1' })
    expect((await first.app('GET', '/me')).status).toBe(401)
    for (const { app } of [elsewhere, colleague, second]) expect((await app('GET', '/me')).status).toBe(200)
  })

  test('of logins on one phone at the same time the last one stays', async () => {
    await Promise.all(Array.from({ length: 4 }, () => givenLogin('1001', { device_id: 'phone-9' })))
    const live = await sessions().where({ device_key: 'phone-9' }).whereNull('revoked_at')
    expect(live).toHaveLength(1)
  })

  test('of too many the oldest end', async () => {
    const first = await givenLogin()
    const row = await sessions().first('*').where({ id: first.sid })
    const others = Array.from({ length: MAX_SESSIONS - 1 }, () => ({
      ...row,
      id: randomUUID(),
      created_at: new Date(),
    }))
    await sessions().insert(others)
    const last = await givenLogin()
    expect((await first.app('GET', '/me')).status).toBe(401)
    expect((await last.app('GET', '/sessions')).json.data).toHaveLength(MAX_SESSIONS)
  })

  test('a new password ends them all, and the login with it is good', async () => {
    const { app, refreshToken } = await givenLogin('1001', { refresh: true })
    const password = 'another-horse-battery-staple'
    const changed = await gateway.pbx('PUT', '/extensions/1001', { body: { password } })
    expect(changed.status).toBe(200)
    expect((await app('GET', '/me')).status).toBe(401)
    expect((await refresh(refreshToken)).status).toBe(401)
    expect((await logIn(gateway, '1001')).status).toBe(401)
    const fresh = await givenLogin('1001', { password })
    expect((await fresh.app('GET', '/me')).status).toBe(200)
    await givenExtension(gateway, '1001')
  })

  test('a login that is under way while the password changes opens nothing that lasts', async () => {
    for (let round = 0; round < 5; round += 1) {
      await givenExtension(gateway, '1003')
      const [answer] = await Promise.all([
        logIn(gateway, '1003'),
        gateway.pbx('PUT', '/extensions/1003', { body: { password: `new-password-${round}` } }),
      ])
      expect([200, 401]).toContain(answer.status)
      if (answer.status === 200) {
        expect((await appOf(gateway, answer.json.data.token)('GET', '/me')).status).toBe(401)
      }
      await gateway.context.loginLimits.unlock({ tenantId: gateway.tenant.tenantId, number: '1003' })
    }
  })

  test('a session goes with its phone, others stay', async () => {
    const phone = await givenLogin('1001', { device_id: 'phone-7' })
    const other = await givenLogin('1001', { device_id: 'phone-8' })
    const registered = await gateway.request('POST', '/devices/register', {
      body: { device_id: 'phone-7', platform: 'apns', tokens: { voip: apnsToken() } },
      headers: { authorization: `Bearer ${phone.token}` },
    })
    expect(registered.status).toBe(200)
    const removed = await other.app('DELETE', `/devices/${registered.json.data.id}`)
    expect(removed.status).toBe(200)
    expect((await phone.app('GET', '/me')).status).toBe(401)
    expect((await refresh(phone.refreshToken)).status).toBe(401)
    expect((await other.app('GET', '/me')).status).toBe(200)
  })

  /** Somebody waits for a lock of the database. */
  const someoneWaits = () =>
    until(
      async () => {
        const { rows } = await gateway.context.db.raw(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
        return rows.length > 0
      },
      { description: 'somebody waits for a lock' },
    )

  test('a login with the old password that comes while the new one is being stored is refused', async () => {
    const id = await givenExtension(gateway, '1005')
    const change = await gateway.context.db.transaction()
    await change('extensions').where({ id }).update({ password_hash: 'another' })
    const login = logIn(gateway, '1005')
    await someoneWaits().finally(() => change.commit())
    expect((await login).status).toBe(401)
    expect(await sessions().where({ extension_id: id })).toEqual([])
  })

  test('a refresh that comes while its session is being ended is refused', async () => {
    const login = await givenLogin('1001', { refresh: true })
    const change = await gateway.context.db.transaction()
    await change('app_sessions')
      .where({ id: login.sid })
      .update({ revoked_at: new Date(), revoked_why: 'operator' })
    const refreshed = refresh(login.refreshToken)
    await someoneWaits().finally(() => change.commit())
    expect((await refreshed).status).toBe(401)
  })

  test('they go with their extension', async () => {
    await givenExtension(gateway, '1004')
    const { app } = await givenLogin('1004')
    await gateway.pbx('DELETE', '/extensions/1004')
    expect((await app('GET', '/me')).status).toBe(401)
  })

  test('an operator ends all of an extension', async () => {
    const { app } = await givenLogin()
    await givenLogin('1002')
    const { cookie } = await givenOperator(gateway, 'operator')
    const body = { tenant_id: gateway.tenant.tenantId, extension: '1001' }
    const path = '/api/v1/operator/extensions/logout'
    const { json } = await gateway.request('POST', path, { body, headers: { cookie } })
    expect(json.data).toEqual({ ended: 1 })
    expect((await app('GET', '/me')).status).toBe(401)
    expect((await gateway.request('POST', path, { body })).status).toBe(401)
  })

  test('it is noted that one was seen, at most once a minute', async () => {
    const { app, sid } = await givenLogin()
    const seen = async () => (await sessions().first('last_seen_at').where({ id: sid }))?.last_seen_at as Date
    const before = await seen()
    await app('GET', '/me')
    expect(await seen()).toEqual(before)
    await sessions()
      .where({ id: sid })
      .update({ last_seen_at: new Date(Date.now() - MINUTE) })
    await app('GET', '/me')
    expect((await seen()).getTime()).toBeGreaterThanOrEqual(before.getTime())
  })

  test('a session that has expired is none, whatever its token says', async () => {
    const { app, sid } = await givenLogin()
    await sessions().where({ id: sid }).update({ expires_at: new Date() })
    expect((await app('GET', '/me')).status).toBe(401)
    await pruneAppLogins(gateway.context).run({}, { number: 0, last: true, pauseMs: 0 }, 'prune-app-logins')
    expect(await sessions().where({ id: sid })).toEqual([])
  })

  describe('refreshing', () => {
    test('a device or the wish for it gets a refresh token and a short token; nobody else does', async () => {
      const plain = await givenLogin()
      expect(plain).not.toHaveProperty('refresh_token')
      const refused = await givenLogin('1001', { device_id: 'phone-1', refresh: false })
      expect(refused).not.toHaveProperty('refresh_token')
      for (const options of [{ refresh: true }, { device_id: 'phone-2' }]) {
        const login = await givenLogin('1001', options)
        const { iat, exp } = claimsOf(login.token)
        expect(exp - iat).toBe(15 * 60)
        expect(login.refreshToken).toMatch(/^wlr_/)
        const days = (Date.parse(login.refresh_expires_at) - Date.now()) / DAY
        expect(days).toBeGreaterThan(29.9)
        expect(days).toBeLessThanOrEqual(30)
      }
    })

    test('gives new tokens for the old one, over and over, on any node', async () => {
      const login = await givenLogin('1001', { refresh: true })
      let token = login.refreshToken
      for (let i = 0; i < 5; i += 1) {
        const { status, json } = await refresh(token, i % 2)
        expect(status).toBe(200)
        expect(Object.keys(json.data).sort()).toEqual([
          'expires_at',
          'refresh_expires_at',
          'refresh_token',
          'token',
        ])
        expect(claimsOf(json.data.token).sid).toBe(login.sid)
        expect((await appOf(gateway, json.data.token)('GET', '/me')).status).toBe(200)
        token = json.data.refresh_token
      }
    })

    test('twenty at once get the same successor', async () => {
      const login = await givenLogin('1001', { refresh: true })
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => refresh(login.refreshToken, i % 2)),
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      expect(new Set(answers.map(({ json }) => json.data.refresh_token)).size).toBe(1)
      expect(await sessions().first('refresh_generation').where({ id: login.sid })).toEqual({
        refresh_generation: 2,
      })
    })

    test('a used one, later, ends the session for both who have it', async () => {
      const login = await givenLogin('1001', { refresh: true })
      const next = (await refresh(login.refreshToken)).json.data
      await age(login.sid, 11 * SECOND)
      const reused = await refresh(login.refreshToken)
      expect([reused.status, reused.json.error]).toEqual([401, 'invalid or expired token'])
      expect((await refresh(next.refresh_token)).status).toBe(401)
      expect((await appOf(gateway, next.token)('GET', '/me')).status).toBe(401)
      expect(await sessions().first('revoked_why').where({ id: login.sid })).toEqual({ revoked_why: 'reuse' })
    })

    test('one before the last ends it at once', async () => {
      const login = await givenLogin('1001', { refresh: true })
      const next = (await refresh(login.refreshToken)).json.data
      expect((await refresh(next.refresh_token)).status).toBe(200)
      expect((await refresh(login.refreshToken)).status).toBe(401)
      expect(await sessions().first('revoked_why').where({ id: login.sid })).toEqual({ revoked_why: 'reuse' })
    })

    test('the token of a session without one, of another session or of nobody is refused and ends nothing', async () => {
      const login = await givenLogin('1001', { refresh: true })
      const plain = await givenLogin()
      const forged = [
        login.refreshToken.replace(login.sid, plain.sid),
        login.refreshToken.replace('.1.', '.2.'),
        login.refreshToken.slice(0, -1),
        login.token,
        'wlr_',
        `wlr_${randomUUID()}.1.${'0'.repeat(64)}`,
        'x',
      ]
      for (const token of forged) {
        const { status, json } = await refresh(token)
        expect([status, json.code]).toEqual([401, 'invalid_token'])
      }
      for (const { app } of [login, plain]) expect((await app('GET', '/me')).status).toBe(200)
    })

    test.each([
      ['nothing', {}, 'refresh_token is required'],
      ['a number', { refresh_token: 1 }, 'invalid value for field refresh_token'],
      ['novels', { refresh_token: 'x'.repeat(2_001) }, 'refresh_token exceeds maximum length'],
    ])('%s is a bad request, which logs nobody out', async (_what, body, error) => {
      const { status, json } = await gateway.request('POST', '/api/v1/app/auth/refresh', { body })
      expect([status, json.error]).toEqual([400, error])
    })

    test('is not stored', async () => {
      const login = await givenLogin('1001', { refresh: true })
      const proof = login.refreshToken.split('.').at(-1)
      expect(JSON.stringify(await sessions().select('*'))).not.toContain(proof)
    })
  })

  test('nothing of a login is in the logs', async () => {
    const lines: string[] = []
    const { logger } = gateway.context
    for (const level of ['info', 'warn', 'error'] as const) {
      logger[level] = ((...given: unknown[]) => void lines.push(JSON.stringify(given))) as never
    }
    const login = await givenLogin('1001', { refresh: true })
    await logIn(gateway, '1001', { password: 'a-wrong-password' })
    expect(lines.length).toBeGreaterThanOrEqual(2)
    for (const secret of [SIP_PASSWORD, 'a-wrong-password', login.token, login.refreshToken]) {
      expect(lines.join('\n')).not.toContain(secret)
    }
  })
})
