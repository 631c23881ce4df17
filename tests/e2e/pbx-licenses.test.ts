import { newId } from '../../src/lib/ids.ts'
import { DAY, HOUR, SECOND } from '../../src/lib/units.ts'
import { dayOf } from '../../src/limits/push-limits.ts'
import { until } from '../support/conditions.ts'
import {
  apnsToken,
  BACKENDS,
  callId,
  fcmToken,
  startTestGateway,
  type TestGateway,
} from '../support/gateway.ts'
import { givenLicensed, statuses, times } from '../support/licensed.ts'

/** What is promised, and what a busy machine may add to it. */
const WITHIN_MS = 5 * SECOND + 3 * SECOND

describe.each(BACKENDS)('calls that come with a PBX key on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2, patient: true })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  /** A customer with an extension of so many phones that never register by themselves. */
  const customer = async (terms: Parameters<typeof givenLicensed>[1] = {}, phones = 1) => {
    const own = await givenLicensed(gateway, terms)
    const { context, nodes } = gateway
    const { id: extensionId } = await context.extensions.put(own.tenantId, '100', {})
    for (let i = 0; i < phones; i += 1) {
      await context.registerDevice({
        ...{ tenantId: own.tenantId, extensionId, deviceKey: `phone-${i}`, appId: 'default' },
        tokens: [{ kind: 'apns_voip', environment: 'production', token: apnsToken() }],
      })
    }
    const call = (node = 0, body: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
      gateway.request('POST', '/api/v1/pbx/calls', {
        base: nodes[node]?.url ?? '',
        headers: { authorization: `Bearer ${own.pbxKey}`, ...headers },
        body: { call_id: callId(), extension: '100', caller_id: '1', ...body },
      })
    const change = (changes: Record<string, unknown>) =>
      context.db('licenses').where({ id: own.licenseId }).update(changes)
    return { ...own, extensionId, call, change }
  }
  const refused = async (call: () => ReturnType<TestGateway['request']>) => {
    const begin = performance.now()
    const answer = await until(
      async () => {
        const each = await call()
        return each.status === 403 ? each : undefined
      },
      { description: 'calls are refused' },
    )
    expect(performance.now() - begin).toBeLessThan(WITHIN_MS)
    return answer
  }

  test('are refused on every node within 5 s after the licence was revoked, or suspended', async () => {
    const cases = [
      ['REVOKED', { revoked_at: new Date() }],
      ['SUSPENDED', { suspended_at: new Date() }],
    ] as const
    await Promise.all(
      cases.map(async ([code, changes]) => {
        const { call, change } = await customer()
        for (const node of [0, 1]) expect((await call(node)).status).toBe(202)
        await change(changes)
        for (const node of [0, 1]) {
          expect((await refused(() => call(node))).json).toMatchObject({
            ...{ data: null, code, error: 'no licence of this tenant is in force' },
            hint: expect.stringContaining('this licence'),
          })
        }
        const call_id = callId()
        expect((await call(0, { call_id }, { prefer: 'wait=5' })).status).toBe(403)
        expect(await gateway.context.db('push_logs').where({ call_id }).select('id')).toEqual([])
      }),
    )
  })

  test('go on with a warning while the licence has its grace, and then no more', async () => {
    const end = Date.now() - HOUR
    const { call, change } = await customer()
    await change({ expires_at: new Date(end) })
    const warned = await call()
    expect(warned.status).toBe(202)
    expect(warned.headers.get('x-license-warning')).toBe(
      `EXPIRED; until=${new Date(end + 7 * DAY).toISOString()}`,
    )
    await change({ expires_at: new Date(Date.now() - 7 * DAY - 1) })
    expect((await refused(() => call())).json.code).toBe('EXPIRED')
  })

  test('need a licence at all, and one that includes calls', async () => {
    const without = await customer({ tier: 'custom', maxExtensions: 5, entitlements: ['messages'] })
    const missing = await without.call()
    expect([missing.status, missing.json.code]).toEqual([403, 'ENTITLEMENT_MISSING'])
    expect(missing.json.hint).toBe('this licence does not include: calls')
    const { call, licenseId } = await customer()
    await gateway.context.db('licenses').where({ id: licenseId }).delete()
    expect((await call()).json).toMatchObject({ code: 'NOT_FOUND', hint: 'this tenant has no licence' })
  })

  test('count against the quota over all nodes, and stand in the usage and in the log', async () => {
    const { call, owner, licenseId, tenantId } = await customer({ callsPerDay: 10 })
    const answers = await times(14, (i) => call(i % 2))
    expect(statuses(answers)).toEqual({ 202: 10, 429: 4 })
    const over = await call()
    expect(over.json).toMatchObject({ data: null, code: 'quota_exceeded', error: 'rate limit exceeded' })
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
    await gateway.nodes[1]?.context.usage.flush()
    const { data } = (await owner('GET', '/v1/license/usage')).json
    expect(data.calls).toMatchObject({ used: 10, refused: 5, remaining: 0 })
    expect(data.history).toMatchObject([{ day: dayOf(Date.now()), calls: 10, refused_calls: 5 }])
    const log = () => gateway.context.db('push_logs').where({ tenant_id: tenantId }).select('license_id')
    await until(async () => (await log()).length === 10, { description: 'all calls stand in the log' })
    expect((await log()).every(({ license_id }) => license_id === licenseId)).toBe(true)
  })

  test('tell how the limits stand, ring as many phones as are left, and cost nothing when they are joined', async () => {
    const { call, owner } = await customer({ callsPerDay: 5 }, 3)
    const call_id = callId()
    const first = await call(0, { call_id })
    expect(first.json.data.pushes).toHaveLength(3)
    expect(first.headers.get('ratelimit-remaining')).toBe('2')
    expect((await call(1, { call_id })).status).toBe(202)
    const second = await call(1)
    expect(second.json.data.pushes).toHaveLength(2)
    // Nothing is left, and to join one that is known is free.
    expect((await call(0)).status).toBe(429)
    expect((await call(0, { call_id })).json.data.id).toBe(first.json.data.id)
    await gateway.nodes[1]?.context.usage.flush()
    expect((await owner('GET', '/v1/license/usage')).json.data.calls).toMatchObject({ used: 5, remaining: 0 })
  })

  test('of a tenant with several licences use what any of them has left', async () => {
    const { call, tenantId, owner } = await customer({ callsPerDay: 2 })
    const { context } = gateway
    await context.manageLicenses.create({ tenantId, tier: 'standard', callsPerDay: 3 }, 'shell')
    expect(statuses(await times(7, () => call()))).toEqual({ 202: 5, 429: 2 })
    expect((await owner('GET', '/v1/license/usage')).json.data.calls.used).toBe(2)
  })

  test('end with the key', async () => {
    const { call, tenantId } = await customer()
    expect((await call()).status).toBe(202)
    const [key] = await gateway.context.licenseRecords.pbxKeys.list(tenantId)
    expect(await gateway.context.licenseRecords.pbxKeys.revoke(key?.id ?? '', new Date())).toBe(true)
    await until(async () => (await call()).status === 401, { description: 'the key is refused' })
  })

  test('have the notices of their voicemail on the same account', async () => {
    const { tenantId, extensionId, change, owner } = await customer({ messagesPerDay: 3 })
    const { context } = gateway
    for (const deviceKey of ['a', 'b']) {
      await context.registerDevice({
        ...{ tenantId, extensionId, deviceKey, appId: 'default' },
        tokens: [{ kind: 'fcm', environment: 'production', token: fcmToken() }],
      })
    }
    const notify = () =>
      context.notifyDevices(tenantId, extensionId, {
        ...{ kind: 'voicemail', ttlMs: HOUR },
        content: { voicemailId: newId(), callerId: '1', badge: 1 },
      })
    expect([await notify(), await notify(), await notify()]).toEqual([2, 1, 0])
    const { data } = (await owner('GET', '/v1/license/usage')).json
    expect(data.messages).toMatchObject({ used: 3, refused: 3, remaining: 0 })
    const rows = await context.db('push_logs').where({ tenant_id: tenantId }).select('license_id')
    expect(rows.map(({ license_id }) => license_id !== null)).toEqual([true, true, true])
    await change({ messages_per_day: 100, suspended_at: new Date() })
    const sent = async () => (await notify()) === 0
    await until(sent, { description: 'nothing is pushed for a suspended licence' })
  })
})
