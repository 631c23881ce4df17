import { createHash } from 'node:crypto'
import { DAY, MINUTE } from '../../src/lib/units.ts'
import { startWorkers } from '../../workers/start-workers.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

const sha256 = (token: string) => createHash('sha256').update(token).digest('hex')
const invalidTokens = async (gateway: TestGateway, licenseKey = gateway.tenant.licenseKey) =>
  (await gateway.request('GET', '/v1/tokens/invalid', { headers: { 'x-license-key': licenseKey } })).json.data
    .tokens
/** As if every token had been registered, and accused for the first time, so much earlier. */
const age = async ({ context: { db } }: TestGateway, ms: number) => {
  await db.raw(`UPDATE device_tokens SET registered_at = registered_at - ? * interval '1 ms'`, [ms])
  await db.raw(`UPDATE token_verdicts SET first_at = first_at - ? * interval '1 ms'`, [ms])
}
/** The rows of so many pushes, which are written after whoever waits for the end was told. */
const closed = (gateway: TestGateway, count: number) =>
  until(
    async () => {
      const rows = await gateway.pushLog()
      return rows.length >= count && rows.every((row) => row.closed_at) ? rows : undefined
    },
    { description: `${count} rows are closed` },
  )
const arrivals = (gateway: TestGateway, token: string) => ({
  production: gateway.simulators.apns.received.filter((push) => push.token === token).length,
  sandbox: gateway.simulators.apnsSandbox.received.filter((push) => push.token === token).length,
})

describe.each(BACKENDS)('the life of a token on %s', (backend) => {
  test('a phone without the app loses its token, and the owner is told which one', async () => {
    await using gateway = await startTestGateway({ backend })
    const phone = await gateway.givenPhone({ extension: '100' })
    gateway.simulators.apns.behaves(phone.token, {
      status: 410,
      reason: 'Unregistered',
      timestamp: Date.now() + 1_000,
    })
    expect((await gateway.call('100')).json.data).toMatchObject({
      outcome: 'unreachable',
      pushes: [{ status: 'token_dead', reason: 'Unregistered' }],
    })
    expect(await invalidTokens(gateway)).toMatchObject([
      {
        ...{
          token_sha256: sha256(phone.token),
          platform: 'apns',
          kind: 'apns_voip',
          environment: 'production',
        },
        ...{ state: 'dead', reason: 'Unregistered', extension: '100', times: 1 },
      },
    ])
    const other = await gateway.otherTenant()
    expect(await invalidTokens(gateway, other.licenseKey)).toEqual([])
    expect((await gateway.call('100')).json.data).toMatchObject({ outcome: 'no_device', pushes: [] })

    // The app is installed again and gets the same token.
    gateway.simulators.apns.forgets(phone.token)
    await gateway.givenPhone({ ...phone, behaviour: { registersAfterMs: 10 } })
    expect(await invalidTokens(gateway)).toEqual([])
    expect((await gateway.call('100')).json.data.outcome).toBe('registered')
  })

  test('a suspect token is asked for at both gateways of Apple, kept, and given up when it is suspect for long', async () => {
    await using gateway = await startTestGateway({ backend })
    const phone = await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 'never' } })
    for (const apple of [gateway.simulators.apns, gateway.simulators.apnsSandbox]) {
      apple.behaves(phone.token, { status: 400, reason: 'BadDeviceToken' })
    }
    const call = async () => (await gateway.call('100')).json.data.pushes[0]?.reason
    expect(await call()).toBe('BadDeviceToken')
    expect(arrivals(gateway, phone.token)).toEqual({ production: 1, sandbox: 1 })
    expect(await invalidTokens(gateway)).toMatchObject([{ state: 'quarantined', environment: 'production' }])

    // Too soon, and then nothing shows that it is not our own fault.
    await age(gateway, 5 * MINUTE)
    await gateway.push()
    expect(await call()).toBe('BadDeviceToken')
    expect(await invalidTokens(gateway)).toMatchObject([{ state: 'quarantined', times: 2 }])
    // The other gateway has said its word.
    expect(arrivals(gateway, phone.token)).toEqual({ production: 2, sandbox: 1 })
    await closed(gateway, 3)
    await gateway.context.db('push_logs').where({ state: 'delivered' }).del()
    await age(gateway, 6 * MINUTE)
    expect(await call()).toBe('BadDeviceToken')
    expect(await invalidTokens(gateway)).toMatchObject([{ state: 'quarantined', times: 3 }])

    await gateway.push()
    await closed(gateway, 4)
    expect(await call()).toBe('BadDeviceToken')
    expect(await invalidTokens(gateway)).toMatchObject([{ state: 'dead', times: 4 }])
    expect((await gateway.call('100')).json.data).toMatchObject({ outcome: 'no_device', pushes: [] })
  })

  test('a token of Apple’s other gateway rings, and is sent there from then on', async () => {
    await using gateway = await startTestGateway({ backend })
    const handedIn = apnsToken()
    gateway.simulators.apns.registers(handedIn, 'sandbox')
    const first = await gateway.push({ push_token: handedIn })
    expect(first.json.data).toMatchObject({ delivered: true, token_valid: true })
    expect(arrivals(gateway, handedIn)).toEqual({ production: 1, sandbox: 1 })
    expect((await gateway.push({ push_token: handedIn })).json.data.delivered).toBe(true)
    expect(arrivals(gateway, handedIn)).toEqual({ production: 1, sandbox: 2 })

    const phone = await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 10 } })
    gateway.simulators.apns.registers(phone.token, 'sandbox')
    await gateway.call('100', { wait: 1 })
    await closed(gateway, 3)
    expect(arrivals(gateway, phone.token)).toEqual({ production: 1, sandbox: 1 })
    await gateway.call('100', { wait: 1 })
    // The log tells where the push was taken, not where it was meant to go.
    const rows = await closed(gateway, 4)
    expect(arrivals(gateway, phone.token)).toEqual({ production: 1, sandbox: 2 })
    expect(rows.filter((row) => row.state === 'delivered').map((row) => row.environment)).toEqual(
      rows.filter((row) => row.state === 'delivered').map(() => 'sandbox'),
    )
    expect(await invalidTokens(gateway)).toEqual([])
  })

  test('Google’s words about tokens, and our own faults, are told apart', async () => {
    await using gateway = await startTestGateway({ backend })
    const [gone, foreign, garbage, wellKnown] = [fcmToken(), fcmToken(), fcmToken(), apnsToken()]
    const { fcm, apns } = gateway.simulators
    fcm.behaves(gone, { status: 404, errorCode: 'UNREGISTERED' })
    fcm.behaves(foreign, { status: 403, errorCode: 'SENDER_ID_MISMATCH' })
    fcm.behaves(garbage, { status: 400, errorCode: 'INVALID_ARGUMENT', field: 'message.token' })
    apns.behaves(wellKnown, { status: 400, reason: 'BadTopic' })
    for (const token of [gone, foreign, garbage]) {
      await gateway.push({ push_token: token, push_platform: 'fcm' })
    }
    await gateway.push({ push_token: wellKnown })
    expect(await invalidTokens(gateway)).toMatchObject([
      { token_sha256: sha256(gone), platform: 'fcm', state: 'dead', reason: 'UNREGISTERED' },
      { token_sha256: sha256(foreign), state: 'quarantined', reason: 'SENDER_ID_MISMATCH' },
      { token_sha256: sha256(garbage), state: 'quarantined', reason: 'INVALID_ARGUMENT' },
    ])
  })

  test('tokens that fail alike by the dozen are not given up', async () => {
    await using gateway = await startTestGateway({ backend })
    const tokens = Array.from({ length: 12 }, fcmToken)
    for (const token of tokens) {
      gateway.simulators.fcm.behaves(token, { status: 404, errorCode: 'UNREGISTERED' })
    }
    for (const token of tokens) await gateway.push({ push_token: token, push_platform: 'fcm' })
    expect(await invalidTokens(gateway)).toHaveLength(5)
    expect(await gateway.context.metrics.registry.metrics()).toContain(
      'wakeline_token_breaker_open{app="default",provider="fcm",environment="production",reason="UNREGISTERED"} 1',
    )
  })

  test('a phone with an installation id of Firebase is woken by it, and only once', async () => {
    await using gateway = await startTestGateway({ backend })
    const [token, fid] = [fcmToken(), 'cdefGHIJ_-0123456789ab']
    await gateway.pbx('PUT', '/extensions/100', { body: {} })
    const body = {
      tokens: [
        { kind: 'fcm', token },
        { kind: 'fcm_fid', token: fid },
      ],
    }
    expect((await gateway.pbx('PUT', '/extensions/100/devices/android', { body })).status).toBe(200)
    const { received } = gateway.simulators.fcm
    const arrived = (count: number) =>
      until(() => received.length >= count, { description: `${count} pushes have arrived` })
    await gateway.call('100', { wait: 1 })
    await arrived(1)
    expect(received.map((push) => push.token)).toEqual([fid])
    gateway.simulators.fcm.behaves(fid, { status: 404, errorCode: 'UNREGISTERED' })
    expect((await gateway.call('100')).json.data.outcome).toBe('unreachable')
    expect(await invalidTokens(gateway)).toMatchObject([{ kind: 'fcm_fid', token_sha256: sha256(fid) }])
    // The registration token is still there.
    await gateway.call('100', { wait: 1 })
    await arrived(3)
    expect(received.map((push) => push.token)).toEqual([fid, fid, token])
  })

  test('workers give up the tokens of a phone that was not seen for long, soon after they start', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const phone = await gateway.givenPhone({ extension: '100' })
    await gateway.context.db('devices').update({ last_seen_at: new Date(Date.now() - 271 * DAY) })
    const workers = await startWorkers(gateway.context, ['messages'])
    try {
      const [told] = await until(
        async () => {
          const tokens = await invalidTokens(gateway)
          return tokens.length > 0 ? tokens : undefined
        },
        { description: 'the owner is told' },
      )
      expect(told).toMatchObject({ token_sha256: sha256(phone.token), state: 'dead', reason: 'stale' })
    } finally {
      await workers.close(2_000)
    }
  })
})
