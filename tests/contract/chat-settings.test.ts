import type { AppUser } from '../support/app-callers.ts'
import { givenPerson } from '../support/chat.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** What somebody's phones are told of chat, and the phones of a client that only chats. */
describe.each(BACKENDS)('on %s', (backend) => {
  let gateway: TestGateway
  let ada: AppUser
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false })
  })
  beforeEach(async () => {
    ada = await givenPerson(gateway)
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  describe('push settings', () => {
    const path = '/api/v1/app/push-settings'
    const put = (body: unknown, who = ada) => who.ask('PUT', path, body)
    const usual = {
      ...{ preview: 'full', push_when: 'no_device_acked', escalate_after: 0, dnd_until: null },
      ...{ dnd_schedule: [], time_zone: 'UTC' },
    }

    test('are the usual ones until something is said, and what is not given stays', async () => {
      expect((await ada.get(path)).json.data).toEqual(usual)
      const night = { days: [1, 2, 3, 4, 5], from: '22:00', to: '07:00' }
      const change = {
        ...{ preview: 'sender', dnd_schedule: [night], time_zone: 'Europe/Berlin' },
        dnd_until: '2030-01-01T01:00:00+01:00',
      }
      const changed = { ...usual, ...change, dnd_until: '2030-01-01T00:00:00.000Z' }
      expect(await put(change)).toMatchObject({ status: 200, json: { data: changed } })
      const more = { push_when: 'always', escalate_after: 30, dnd_until: null }
      expect((await put(more)).json.data).toEqual({ ...changed, ...more })
      expect((await ada.get(path)).json.data).toEqual({ ...changed, ...more })
      expect((await put({})).json.data).toEqual({ ...changed, ...more })
      const bob = await givenPerson(gateway)
      expect((await bob.get(path)).json.data).toEqual(usual)
    })

    test.each([
      ['europe/berlin', 'Europe/Berlin'],
      ['utc', 'UTC'],
      ['America/Argentina/Buenos_Aires', 'America/Buenos_Aires'],
    ])('%s is a time zone, however it is spelt', async (time_zone, spelt) => {
      const { status, json } = await put({ time_zone })
      expect(status).toBe(200)
      expect([time_zone, spelt]).toContain(json.data.time_zone)
      expect(json.data.time_zone).toMatch(/^[A-Z]/)
    })

    const zone = 'time_zone must be a time zone of the IANA, such as Europe/Berlin'
    const quiet = (change: Record<string, unknown>) => ({
      dnd_schedule: [{ days: [1], from: '22:00', to: '07:00', ...change }],
    })
    test.each<[Record<string, unknown>, string, string]>([
      [{ time_zone: 'Mars/Olympus' }, zone, 'time_zone'],
      [{ time_zone: '+02:00' }, zone, 'time_zone'],
      [{ time_zone: '' }, zone, 'time_zone'],
      [{ time_zone: 'x'.repeat(65) }, zone, 'time_zone'],
      [{ preview: 'some' }, 'preview must be one of full, sender, none', 'preview'],
      [
        { push_when: 'never' },
        'push_when must be one of no_device_acked, this_device_not_acked, always',
        'push_when',
      ],
      [{ escalate_after: 5 }, 'escalate_after must be one of 0, 30, 120', 'escalate_after'],
      [quiet({ days: [] }), 'days must not be empty', 'dnd_schedule.0.days'],
      [quiet({ days: [0] }), 'days must be from 1 (Monday) to 7', 'dnd_schedule.0.days.0'],
      [quiet({ days: [8] }), 'days must be from 1 (Monday) to 7', 'dnd_schedule.0.days.0'],
      [quiet({ days: [1, 1] }), 'days must not repeat', 'dnd_schedule.0.days'],
      [quiet({ from: '24:00' }), 'from must be a time of day such as 22:00', 'dnd_schedule.0.from'],
      [quiet({ to: '7:00' }), 'to must be a time of day such as 22:00', 'dnd_schedule.0.to'],
      [quiet({ zone: 'UTC' }), 'unknown field "zone"', 'dnd_schedule.0.zone'],
      [
        { dnd_schedule: Array(15).fill({ days: [1], from: '22:00', to: '07:00' }) },
        'dnd_schedule must be at most 14 entries',
        'dnd_schedule',
      ],
      [{ dnd_until: 'x' }, 'dnd_until must be a time like 2026-11-21T10:00:00Z (RFC 3339)', 'dnd_until'],
      [{ sound: 'off' }, 'unknown field "sound"', 'sound'],
    ])('%j is refused', async (body, error, field) => {
      expect(await put(body)).toMatchObject({ status: 400, json: { error, field } })
      expect((await ada.get(path)).json.data).toEqual(usual)
    })
  })

  describe('a phone of a client that only chats', () => {
    const register = (body: unknown, who = ada) => who.post('/devices/register', body)
    const devicesOf = async (who = ada) => (await who.get('/api/v1/app/devices')).json.data
    const hashesOf = async (id: string): Promise<string[]> =>
      (await gateway.context.db('device_tokens').where({ device_id: id })).map(({ token_hash }) => token_hash)
    const hashOf = (token: string) => gateway.context.keyring.tokenHash(token)

    test.each([
      ['ios', 'device_token', 'apns', apnsToken()],
      ['ios', 'deviceToken', 'apns', apnsToken().toUpperCase()],
      ['android', 'device_token', 'fcm', fcmToken()],
      ['android', 'deviceToken', 'fcm', fcmToken()],
    ])('%s with %s has one token for messages', async (platform, field, of, token) => {
      const { status, json } = await register({ [field]: token, platform })
      expect(status).toBe(200)
      expect(json.data).toMatchObject({
        platform: of,
        current: true,
        tokens: [{ type: 'alert', live: true }],
      })
      const stored = of === 'apns' ? token.toLowerCase() : token
      expect(await hashesOf(json.data.id)).toEqual([hashOf(stored)])
    })

    test('is the one of the session: a token that has changed replaces the old one', async () => {
      const [first, second] = [apnsToken(), apnsToken()]
      const { id } = (await register({ device_token: first, platform: 'ios' })).json.data
      expect((await register({ device_token: first, platform: 'ios' })).json.data.id).toBe(id)
      expect((await register({ device_token: second, platform: 'ios' })).json.data.id).toBe(id)
      expect(await hashesOf(id)).toEqual([hashOf(second)])
      expect(await devicesOf()).toHaveLength(1)
    })

    test('another login of the same person is another phone, unless it has the same token', async () => {
      const token = apnsToken()
      const { id } = (await register({ device_token: token, platform: 'ios' })).json.data
      const again = await givenPerson(gateway, { extension: ada.extension })
      expect((await register({ device_token: token, platform: 'ios' }, again)).json.data.id).toBe(id)
      const other = await givenPerson(gateway, { extension: ada.extension })
      await register({ device_token: apnsToken(), platform: 'ios' }, other)
      expect(await devicesOf(again)).toHaveLength(2)
      expect(await devicesOf(other)).toHaveLength(2)
    })

    test('may name itself, and its environment', async () => {
      const body = { device_token: apnsToken(), platform: 'ios', device_id: 'mine', environment: 'sandbox' }
      expect((await register(body)).json.data).toMatchObject({
        ...{ device_id: 'mine', tokens: [{ environment: 'sandbox' }] },
      })
    })

    test.each<[Record<string, unknown>, string, string]>([
      [{ platform: 'ios' }, 'device_token is required', 'device_token'],
      [{ platform: 'ios', device_token: 'xyz' }, 'device_token must be an APNs token in hex', 'device_token'],
      [
        { platform: 'android', deviceToken: 'a b' },
        'deviceToken must be an FCM registration token',
        'deviceToken',
      ],
      [
        { platform: 'windows', device_token: 'ab' },
        'platform must be "fcm" or "apns", or "ios" or "android"',
        'platform',
      ],
      [{ platform: 'ios', device_token: 'ab', tokens: {} }, 'unknown field "tokens"', 'tokens'],
    ])('%j is refused', async (body, error, field) => {
      expect(await register(body)).toMatchObject({ status: 400, json: { error, field } })
      expect(await devicesOf()).toEqual([])
    })

    test('is removed with DELETE /devices/{id}, and whoever is logged in on it is out', async () => {
      const { id } = (await register({ device_token: apnsToken(), platform: 'ios' })).json.data
      const bob = await givenPerson(gateway)
      expect(await bob.ask('DELETE', `/devices/${id}`)).toMatchObject({ status: 404 })
      expect(await ada.ask('DELETE', `/devices/${id}`)).toMatchObject({ status: 200 })
      expect(await ada.get('/me')).toMatchObject({ status: 401 })
    })

    test('its tokens go one by one: calls ring on, chat is silent', async () => {
      const tokens = { voip: apnsToken(), alert: apnsToken() }
      const device = (await register({ device_id: 'both', platform: 'apns', tokens })).json.data
      const { id } = device.tokens.find(({ type }: { type: string }) => type === 'alert')
      const path = `/api/v1/app/devices/${device.id}/tokens/${id}`
      const bob = await givenPerson(gateway)
      const unknown = { status: 404, json: { code: 'unknown_device_token' } }
      expect(await bob.ask('DELETE', path)).toMatchObject(unknown)
      expect(await ada.ask('DELETE', path)).toMatchObject({ status: 200, json: { data: { status: 'ok' } } })
      expect(await ada.ask('DELETE', path)).toMatchObject(unknown)
      expect((await devicesOf())[0].tokens).toMatchObject([{ type: 'voip' }])
      const phones = await gateway.context.phones.find(ada.tenantId, ada.extension)
      expect(phones?.tokens.map(({ tokenHash }) => tokenHash)).toEqual([hashOf(tokens.voip)])
    })
  })
})
