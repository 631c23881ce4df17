import fc from 'fast-check'
import { newId } from '../../src/lib/ids.ts'
import { type AppUser, givenAppUser } from '../support/app-callers.ts'
import { apnsToken, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** `POST /devices/register`, `GET` and `DELETE /api/v1/app/devices`: a person's phones, and nobody else's. */
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false })
})
afterAll(() => gateway[Symbol.asyncDispose]())

const user = (more: { tenantId?: string; extension?: string; deviceKey?: string } = {}) =>
  givenAppUser(gateway, { tenantId: gateway.tenant.tenantId, extension: `e-${newId()}`, ...more })
const another = (one: AppUser, deviceKey?: string) =>
  user({ tenantId: one.tenantId, extension: one.extension, ...(deviceKey !== undefined && { deviceKey }) })
const iphone = (change: Record<string, unknown> = {}) => ({
  device_id: `phone-${newId()}`,
  platform: 'apns',
  tokens: { voip: apnsToken(), alert: apnsToken() },
  ...change,
})
const register = (who: AppUser, body: unknown) => who.post('/devices/register', body)
const devicesOf = async (who: AppUser) => (await who.get('/api/v1/app/devices')).json.data
const liveTokensOf = async ({ tenantId, extension }: AppUser) =>
  (await gateway.context.phones.find(tenantId, extension))?.tokens.map(({ tokenHash }) => tokenHash)
const hashOf = (token: string) => gateway.context.keyring.tokenHash(token)

describe('registering', () => {
  test('answers with what is stored: everything but the tokens', async () => {
    const ada = await user()
    const body = iphone({
      ...{ environment: 'sandbox', app_version: '1.2.3', locale: 'de-DE', name: 'Ada’s phone' },
      app_id: 'default',
    })
    const { status, json, text } = await register(ada, body)
    expect(status).toBe(200)
    const token = (type: 'voip' | 'alert') => ({
      id: expect.any(String),
      type,
      environment: 'sandbox',
      last4: body.tokens[type].slice(-4),
      live: true,
      registered_at: expect.stringMatching(/Z$/),
    })
    expect(json.data).toEqual({
      id: expect.any(String),
      device_id: body.device_id,
      platform: 'apns',
      app_id: 'default',
      name: 'Ada’s phone',
      app_version: '1.2.3',
      locale: 'de-DE',
      current: true,
      created_at: expect.stringMatching(/Z$/),
      last_seen_at: expect.stringMatching(/Z$/),
      tokens: [token('alert'), token('voip')],
    })
    expect(await devicesOf(ada)).toEqual([json.data])
    for (const secret of Object.values(body.tokens)) {
      expect(text).not.toContain(secret)
      expect((await ada.get('/api/v1/app/devices')).text).not.toContain(secret.slice(8, 24))
    }
  })

  test('repeating it changes nothing, and what is not given stays', async () => {
    const ada = await user()
    const body = iphone({ name: 'mine', locale: 'fr', environment: 'sandbox' })
    const first = (await register(ada, body)).json.data
    const { voip } = body.tokens
    const { device_id, platform } = body
    const second = (await register(ada, { device_id, platform, tokens: { voip } })).json.data
    expect(second).toEqual({
      ...first,
      last_seen_at: expect.any(String),
      tokens: first.tokens.map((token: object) => ({ ...token, registered_at: expect.any(String) })),
    })
    expect(await devicesOf(ada)).toHaveLength(1)
  })

  test('an Android phone has one token, of Google', async () => {
    const ada = await user()
    const { json } = await register(ada, { device_id: 'a', platform: 'fcm', tokens: { alert: fcmToken() } })
    expect(json.data.tokens).toMatchObject([{ type: 'alert', environment: 'production' }])
    expect(await liveTokensOf(ada)).toHaveLength(1)
  })

  const token = 'ab'.repeat(32)
  test.each<[string, Record<string, unknown>, string, string]>([
    ['no device id', { device_id: undefined }, 'invalid value for field device_id', 'device_id'],
    ['an empty one', { device_id: '' }, 'device_id is required', 'device_id'],
    ['one that looks like ours', { device_id: '::5::x' }, 'device_id must not begin like this', 'device_id'],
    ['a NUL', { name: 'a\0b' }, 'name must be plain text', 'name'],
    ['no tokens', { tokens: {} }, 'tokens must not be empty', 'tokens'],
    [
      'a token that is no hex',
      { tokens: { voip: 'x' } },
      'tokens.voip must be an APNs token in hex',
      'tokens.voip',
    ],
    [
      'a VoIP token of Google',
      { platform: 'fcm', tokens: { voip: token } },
      'tokens.voip is for platform apns only',
      'tokens.voip',
    ],
    ['an unknown kind of token', { tokens: { live: token } }, 'unknown field "live"', 'tokens.live'],
    ['an unknown app', { app_id: 'nope' }, 'app_id is not an app of this gateway', 'app_id'],
    ['a field of ours', { tenant_id: newId() }, 'unknown field "tenant_id"', 'tenant_id'],
  ])('refuses %s', async (_, change, error, field) => {
    const ada = await user()
    const { status, json } = await register(ada, iphone(change))
    expect({ status, ...json }).toMatchObject({ status: 400, data: null, error, field })
    expect(await devicesOf(ada)).toEqual([])
  })
})

test('text that looks like SQL is text, and nothing that is sent breaks anything', async () => {
  const ada = await user()
  const noise = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom("' OR 1=1 --", '?? ? $1', 'a\0'),
  )
  const change = fc.dictionary(
    fc.constantFrom(
      'device_id',
      'name',
      'locale',
      'app_version',
      'app_id',
      'environment',
      'platform',
      'tokens',
    ),
    fc.oneof(noise, fc.jsonValue({ maxDepth: 2 })),
  )
  await fc.assert(
    fc.asyncProperty(change, noise, async (some, name) => {
      expect([200, 400]).toContain((await register(ada, iphone(some))).status)
      const sound = `'); DROP TABLE devices; -- ${name.toWellFormed().replaceAll('\0', '')}`
      const { json } = await register(ada, iphone({ name: sound, device_id: sound }))
      expect(json.data).toMatchObject({ name: sound, device_id: sound })
    }),
    { numRuns: 40 },
  )
  expect((await devicesOf(ada)).length).toBeLessThanOrEqual(10)
})

describe('a device id that is somebody else’s', () => {
  test('takes nothing from him: it is another phone', async () => {
    const [ada, eve] = [await user(), await user()]
    const body = iphone({ name: 'Ada’s' })
    const hers = (await register(ada, body)).json.data
    const theft = iphone({ device_id: body.device_id, name: 'Eve’s' })
    for (let i = 0; i < 2; i += 1) {
      const { status, json } = await register(eve, theft)
      expect(status).toBe(200)
      expect(json.data).toMatchObject({ device_id: body.device_id, name: 'Eve’s', current: true })
      expect(json.data.id).not.toBe(hers.id)
    }
    expect(await devicesOf(eve)).toHaveLength(1)
    expect(await devicesOf(ada)).toEqual([hers])
    expect(await liveTokensOf(ada)).toEqual([hashOf(body.tokens.voip)])
    // Also once hers is gone, it stays the one phone that it is.
    await ada.ask('DELETE', `/api/v1/app/devices/${hers.id}`)
    await register(eve, theft)
    expect(await devicesOf(eve)).toHaveLength(1)
  })

  test('whose phone tells its registration is still known by it', async () => {
    const [ada, bob] = [await user(), await user()]
    const body = iphone()
    await register(ada, body)
    await register(bob, iphone({ device_id: body.device_id }))
    const report = { extension: bob.extension, device_id: body.device_id }
    expect((await gateway.pbx('POST', '/registrations', { body: report })).json.data.counts).toBe(true)
  })

  test('moves with the phone: who has one of its tokens has it in his hand', async () => {
    const [ada, bob] = [await user(), await user()]
    const body = iphone()
    const hers = (await register(ada, body)).json.data
    const { json } = await register(bob, { ...body, tokens: { voip: body.tokens.voip } })
    expect(json.data).toMatchObject({ id: hers.id, device_id: body.device_id })
    expect(await liveTokensOf(ada)).toEqual([])
    expect(await liveTokensOf(bob)).toEqual([hashOf(body.tokens.voip)])
    // She is logged out of it, and of nothing else.
    expect((await ada.get('/api/v1/app/devices')).status).toBe(401)
    expect(await devicesOf(await another(ada))).toEqual([])
  })

  test('a phone whose token moves to another one is left by who was logged in on it', async () => {
    const other = await gateway.otherTenant()
    for (const tenantId of [gateway.tenant.tenantId, other.tenantId]) {
      const [ada, bob] = [await user(), await user({ tenantId })]
      const elsewhere = await another(ada)
      const body = iphone()
      await register(ada, body)
      // The app was installed again, so that it calls itself something else.
      const { status } = await register(bob, iphone({ tokens: body.tokens }))
      expect(status).toBe(200)
      expect((await ada.get('/api/v1/app/devices')).status).toBe(401)
      expect((await elsewhere.get('/api/v1/app/devices')).status).toBe(200)
      expect((await bob.get('/api/v1/app/devices')).status).toBe(200)
    }
  })

  test('of two who name a free one at the same moment one gets it, and the other is not refused', async () => {
    for (let i = 0; i < 5; i += 1) {
      const [ada, bob] = [await user(), await user()]
      const device_id = `phone-${newId()}`
      const answers = await Promise.all([ada, bob].map((one) => register(one, iphone({ device_id }))))
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
      expect(await devicesOf(ada)).toHaveLength(1)
      expect(await devicesOf(bob)).toHaveLength(1)
    }
  })

  test('of another tenant it is simply another one', async () => {
    const other = await gateway.otherTenant()
    const [ada, twin] = [await user(), await user({ tenantId: other.tenantId })]
    const body = iphone()
    const hers = (await register(ada, body)).json.data
    const theirs = (await register(twin, iphone({ device_id: body.device_id }))).json.data
    expect(theirs.id).not.toBe(hers.id)
    expect(await devicesOf(ada)).toEqual([hers])
    expect(await devicesOf(twin)).toEqual([theirs])
  })
})

test('who logs in again on a phone is out of it with what he had before, and nowhere else', async () => {
  const before = await user()
  const body = iphone()
  await register(before, body)
  const [elsewhere, again] = [await another(before), await another(before)]
  await register(elsewhere, iphone())
  await register(again, body)
  expect((await before.get('/api/v1/app/devices')).status).toBe(401)
  expect((await elsewhere.get('/api/v1/app/devices')).status).toBe(200)
  expect(await devicesOf(again)).toHaveLength(2)
})

test('who is logged in on the phone that makes room for an eleventh is out', async () => {
  const ada = await user()
  const first = await another(ada)
  await register(first, iphone())
  for (let i = 0; i < 9; i += 1) await register(ada, iphone())
  expect((await first.get('/api/v1/app/devices')).status).toBe(200)
  await register(ada, iphone())
  expect(await devicesOf(ada)).toHaveLength(10)
  expect((await first.get('/api/v1/app/devices')).status).toBe(401)
})

test('a token that cannot be read any more hides neither its phone nor the others', async () => {
  const ada = await user()
  const { id } = (await register(ada, iphone())).json.data
  await register(ada, iphone())
  await gateway.context
    .db('device_tokens')
    .where({ device_id: id })
    .update({ token_sealed: 'of another key' })
  const devices = await devicesOf(ada)
  const last4 = devices.flatMap(({ tokens }: { tokens: { last4: string }[] }) =>
    tokens.map((each) => each.last4),
  )
  expect(last4.map((text: string) => text.length).sort()).toEqual([0, 0, 4, 4])
  expect((await ada.ask('DELETE', `/api/v1/app/devices/${id}`)).status).toBe(200)
})

describe('removing', () => {
  test('a phone gets no more calls, and whoever is logged in on it is out', async () => {
    const [here, there] = [await user(), await user()]
    const phone = iphone()
    const lost = await another(here, phone.device_id)
    const { id } = (await register(lost, phone)).json.data
    await register(there, iphone())
    const answer = await here.ask('DELETE', `/api/v1/app/devices/${id}`)
    expect(answer).toMatchObject({ status: 200, json: { data: { status: 'ok' } } })
    expect(await liveTokensOf(here)).toEqual([])
    expect((await lost.get('/api/v1/app/devices')).status).toBe(401)
    expect(await devicesOf(here)).toEqual([])
    const [session] = await gateway.context.db('app_sessions').where({ id: lost.sessionId })
    expect(session.revoked_why).toBe('device')
    expect(await devicesOf(there)).toHaveLength(1)
  })

  test('a device of somebody else is unknown, whoever asks, and stays', async () => {
    const other = await gateway.otherTenant()
    const [ada, colleague, stranger] = [await user(), await user(), await user({ tenantId: other.tenantId })]
    const { id } = (await register(ada, iphone())).json.data
    const unknown = { status: 404, json: { data: null, error: 'device not found', code: 'unknown_device' } }
    for (const who of [colleague, stranger]) {
      expect(await who.ask('DELETE', `/api/v1/app/devices/${id}`)).toMatchObject(unknown)
    }
    expect(await ada.ask('DELETE', `/api/v1/app/devices/${newId()}`)).toMatchObject(unknown)
    expect(await devicesOf(ada)).toHaveLength(1)
  })

  test.each(['1', "x'; DELETE FROM devices; --", '..%2f..', '%00'])('refuses the id %s', async (id) => {
    const ada = await user()
    expect((await ada.ask('DELETE', `/api/v1/app/devices/${encodeURIComponent(id)}`)).status).toBe(400)
  })
})
