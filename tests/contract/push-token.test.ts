import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { newId } from '../../src/lib/ids.ts'
import { type AppUser, givenAppUser } from '../support/app-callers.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** `POST /api/v1/app/push-token`, as the unmodified app of FlowPBX sends it. */
describe.each(BACKENDS)('the push token of the app on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    // No webhook is to leave the machine.
    gateway = await startTestGateway({ backend, workers: ['calls'] })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const user = (extension = `e-${newId()}`, more: { tenantId?: string; deviceKey?: string } = {}) =>
    givenAppUser(gateway, { tenantId: gateway.tenant.tenantId, extension, ...more })
  const send = (who: AppUser, body: unknown) => who.post('/api/v1/app/push-token', body)
  const tokensOf = async ({ tenantId, extension }: AppUser) => {
    const phones = await gateway.context.phones.find(tenantId, extension)
    return phones?.tokens.map(({ tokenHash }) => tokenHash) ?? []
  }
  const hashOf = (token: string) => gateway.context.keyring.tokenHash(token)
  const devicesOf = async (who: AppUser) => (await who.get('/api/v1/app/devices')).json.data

  test('a token and a platform are enough, and the next call rings there', async () => {
    const ada = await user()
    const token = apnsToken()
    expect(await send(ada, { token, platform: 'apns' })).toMatchObject({
      status: 200,
      json: { data: { status: 'ok' } },
    })
    gateway.simulators.phones.add({
      platform: 'apns',
      token,
      behaviour: { registersAfterMs: 20 },
      api: { url: gateway.url, pbxKey: gateway.tenant.pbxKey, extension: ada.extension, deviceId: 'any' },
      onError: () => undefined,
    })
    expect((await gateway.call(ada.extension)).json.data.pushes).toHaveLength(1)
  })

  test('again and again it is one device with one token', async () => {
    const ada = await user()
    const token = fcmToken()
    for (let i = 0; i < 3; i += 1) expect((await send(ada, { token, platform: 'fcm' })).status).toBe(200)
    const devices = await devicesOf(ada)
    expect(devices).toHaveLength(1)
    expect(devices[0]).toMatchObject({
      platform: 'fcm',
      current: true,
      tokens: [{ type: 'alert', live: true }],
    })
  })

  test('a token that Google has changed takes the place of the old one', async () => {
    const ada = await user()
    const [before, after] = [fcmToken(), fcmToken()]
    await send(ada, { token: before, platform: 'fcm' })
    await send(ada, { token: after, platform: 'fcm' })
    expect(await tokensOf(ada)).toEqual([hashOf(after)])
  })

  test('hex in capitals is the same token', async () => {
    const ada = await user()
    const token = apnsToken()
    await send(ada, { token: token.toUpperCase(), platform: 'apns' })
    expect(await tokensOf(ada)).toEqual([hashOf(token)])
  })

  test.each([
    ['fcm', 4_096],
    ['fcm', 1],
    ['apns', 4_096],
    ['apns', 64],
    ['apns', 160],
  ])('a token of %s may have %i characters', async (platform, length) => {
    const token = randomBytes(length).toString('hex').slice(0, length)
    expect((await send(await user(), { token, platform })).status).toBe(200)
  })

  const good = { token: 'ab'.repeat(32), platform: 'apns' }
  test.each<[string, unknown, string, string | undefined]>([
    ['no token', { platform: 'fcm' }, 'token is required', 'token'],
    ['an empty token', { ...good, token: '' }, 'token is required', 'token'],
    [
      'a token that is too long',
      { platform: 'fcm', token: 'a'.repeat(4_097) },
      'token must be at most 4096 characters',
      'token',
    ],
    ['no platform', { token: 'abc' }, 'platform must be "fcm" or "apns"', 'platform'],
    ['another platform', { ...good, platform: 'APNS' }, 'platform must be "fcm" or "apns"', 'platform'],
    [
      'a token of Apple that is no hex',
      { ...good, token: 'xyz!' },
      'token must be an APNs token in hex',
      'token',
    ],
    ['half a byte', { ...good, token: 'abc' }, 'token must be an APNs token in hex', 'token'],
    [
      'a token with spaces',
      { platform: 'fcm', token: 'a b' },
      'token must be an FCM registration token',
      'token',
    ],
    [
      'a long device id',
      { ...good, device_id: 'x'.repeat(201) },
      'device_id must be at most 200 characters',
      'device_id',
    ],
    [
      'a long version',
      { ...good, app_version: 'x'.repeat(41) },
      'app_version must be at most 40 characters',
      'app_version',
    ],
    ['a field of ours', { ...good, extension_id: 1 }, 'unknown field "extension_id"', 'extension_id'],
    ['no JSON', '{"token":', 'invalid request body', undefined],
    ['no body', '', 'request body must not be empty', undefined],
  ])('refuses %s, in the words of the contract', async (_, body, error, field) => {
    const ada = await user()
    const { status, json } = await send(ada, body)
    expect(status).toBe(400)
    expect(json).toMatchObject({ data: null, error, code: expect.any(String) })
    expect(json.field).toBe(field)
    expect(await devicesOf(ada)).toEqual([])
  })

  test('an empty device id counts as none, and one of 200 characters is kept', async () => {
    const ada = await user()
    await send(ada, { ...good, token: apnsToken(), device_id: '' })
    const device_id = 'é'.repeat(200)
    await send(ada, { ...good, token: apnsToken(), device_id, app_version: '1.2.3' })
    expect(await devicesOf(ada)).toEqual([
      expect.objectContaining({ device_id, app_version: '1.2.3' }),
      expect.objectContaining({ device_id: expect.stringMatching(/^token-[0-9a-f]{32}$/) }),
    ])
  })

  test('the phone logs in as somebody else: it rings for him, and at once for nobody else', async () => {
    const [ada, bob] = [await user(), await user()]
    const token = apnsToken()
    await send(ada, { token, platform: 'apns' })
    expect(await tokensOf(ada)).toEqual([hashOf(token)])
    await send(bob, { token, platform: 'apns' })
    expect(await tokensOf(ada)).toEqual([])
    expect(await tokensOf(bob)).toEqual([hashOf(token)])
    // Who had the phone is logged out of it.
    expect(await ada.get('/api/v1/app/devices')).toMatchObject({
      status: 401,
      json: { error: 'invalid or expired token' },
    })
  })

  test('the same on another tenant’s extension, and with the environment that was found out', async () => {
    const other = await gateway.otherTenant()
    const [ada, eve] = [await user(), await user('e', { tenantId: other.tenantId })]
    const token = apnsToken()
    await send(ada, { token, platform: 'apns' })
    await gateway.context
      .db('device_tokens')
      .where({ token_hash: hashOf(token) })
      .update({ environment: 'sandbox' })
    await send(ada, { token, platform: 'apns' })
    expect((await send(eve, { token, platform: 'apns' })).status).toBe(200)
    expect(await tokensOf(ada)).toEqual([])
    expect(await gateway.context.db('device_tokens').where({ token_hash: hashOf(token) })).toMatchObject([
      { environment: 'sandbox', kind: 'apns_voip' },
    ])
    expect(await tokensOf(eve)).toEqual([hashOf(token)])
  })

  test('the owner of the old extension is told by webhook', async () => {
    const { webhooks } = gateway.context
    const [ada, bob] = [await user(), await user()]
    const { id } = await webhooks.create(ada.tenantId, `https://example.com/${newId()}`)
    const token = apnsToken()
    await send(ada, { token, platform: 'apns' })
    await send(ada, { token, platform: 'apns' })
    expect(await webhooks.deliveries(ada.tenantId, id, { limit: 10 })).toEqual([])
    await send(bob, { token, platform: 'apns' })
    expect(await webhooks.deliveries(ada.tenantId, id, { limit: 10 })).toMatchObject([
      { type: 'device.moved' },
    ])
    const [{ body }] = await gateway.context.db('webhook_deliveries').where({ webhook_id: id })
    expect(JSON.parse(body).data).toEqual({ extension: ada.extension, moved_at: expect.any(String) })
  })

  test('whatever is sent, it is taken or refused as a bad request', async () => {
    const ada = await user()
    const noise = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 50 }),
      fc.constantFrom("' OR 1=1 --", '??', '$1', 'a\0b'),
    )
    const body = fc.dictionary(
      fc.constantFrom('token', 'device_id', 'app_version', 'platform', '__proto__', 'constructor'),
      fc.oneof(noise, fc.constantFrom('fcm', 'apns'), fc.jsonValue({ maxDepth: 2 })),
    )
    await fc.assert(
      fc.asyncProperty(body, async (some) => {
        expect([200, 400]).toContain((await send(ada, { ...good, ...some })).status)
      }),
      { numRuns: 100 },
    )
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})
