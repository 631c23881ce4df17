import { newId } from '../../src/lib/ids.ts'
import { DAY } from '../../src/lib/units.ts'
import { dayOf } from '../../src/limits/push-limits.ts'
import { query } from '../support/databases.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenLicensed, times } from '../support/licensed.ts'

describe.each(BACKENDS)('GET /v1/license/usage on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2, patient: true })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  test('tells of a licence that was not used what it may', async () => {
    const { owner } = await givenLicensed(gateway)
    const { status, json, headers } = await owner('GET', '/v1/license/usage')
    expect(status).toBe(200)
    const resets_at = `${dayOf(Date.now() + DAY)}T00:00:00.000Z`
    expect(json.data).toEqual({
      calls: {
        used: 0,
        refused: 0,
        limit: 5_000,
        remaining: 5_000,
        resets_at,
        burst: { limit: 50, seconds: 10 },
      },
      messages: {
        ...{ used: 0, refused: 0, limit: 5_000, remaining: 5_000, resets_at },
        burst: { limit: 100, seconds: 10 },
      },
      extensions: { used: 0, limit: 5 },
      installations: { used: 0, limit: 2 },
      warnings: [],
      history: [],
    })
    expect(headers.get('x-license-warning')).toBeNull()
  })

  test('counts what all nodes let go and refused, and warns', async () => {
    const { call, message, owner } = await givenLicensed(gateway, { callsPerDay: 10 })
    await times(14, (i) => call({}, i % 2))
    await times(3, (i) => message({}, i % 2))
    await call({ kind: 'cancel' })
    // The other node writes its part down every few seconds.
    await gateway.nodes[1]?.context.usage.flush()
    const { data } = (await owner('GET', '/v1/license/usage')).json
    expect(data.calls).toMatchObject({ used: 10, refused: 4, limit: 10, remaining: 0 })
    expect(data.messages).toMatchObject({ used: 3, refused: 0, limit: 5_000, remaining: 4_997 })
    expect(data.warnings).toEqual([
      { code: 'QUOTA_80', lane: 'calls', text: '10 of 10 calls of today are used' },
    ])
    expect(data.history).toEqual([
      { day: dayOf(Date.now()), calls: 10, messages: 3, refused_calls: 4, refused_messages: 0 },
    ])
  })

  test('has the last 30 days, of this licence and no other', async () => {
    const [one, other] = [await givenLicensed(gateway), await givenLicensed(gateway)]
    const day = (ago: number) => dayOf(Date.now() - ago * DAY)
    const used = (licenseId: string, ago: number, calls: number) => ({
      ...{ licenseId, day: day(ago), calls, messages: 1, refusedCalls: 2, refusedMessages: 3 },
    })
    const { usageStore } = gateway.context
    await usageStore.add([used(one.licenseId, 1, 5), used(one.licenseId, 29, 6), used(one.licenseId, 30, 7)])
    await usageStore.add([used(one.licenseId, 1, 10), used(other.licenseId, 1, 99)])
    const { data } = (await one.owner('GET', '/v1/license/usage')).json
    expect(data.history).toEqual([
      { day: day(1), calls: 15, messages: 2, refused_calls: 4, refused_messages: 6 },
      { day: day(29), calls: 6, messages: 1, refused_calls: 2, refused_messages: 3 },
    ])
  })

  test('counts extensions and installations in use', async () => {
    const { owner, licenseId, tenantId } = await givenLicensed(gateway)
    const { db } = gateway.context
    await db('extensions').insert(['100', '101'].map((number) => ({ tenant_id: tenantId, number })))
    const seat = (hostname: string, deactivated: boolean) => ({
      ...{ id: newId(), license_id: licenseId, identity: `host:${hostname}`, hostname },
      ...{ activated_at: new Date(), last_seen_at: new Date() },
      ...(deactivated && { deactivated_at: new Date(), deactivated_why: 'released' }),
    })
    await db('installations').insert([seat('one', false), seat('two', true)].map((row) => ({ ...row })))
    const { data } = (await owner('GET', '/v1/license/usage')).json
    expect(data.extensions).toEqual({ used: 2, limit: 5 })
    expect(data.installations).toEqual({ used: 1, limit: 2 })
  })

  test('is for who has the key', async () => {
    const nobody = await gateway.request('GET', '/v1/license/usage')
    expect([nobody.status, nobody.json.code]).toEqual([400, 'license_key_required'])
    const wrong = await gateway.request('GET', '/v1/license/usage', { headers: { 'x-license-key': 'wrong' } })
    expect(wrong.status).toBe(403)
  })
})

test('what is counted and not yet written is written at the end', async () => {
  const gateway = await startTestGateway({ backend: 'redis' })
  const { nodes, database } = gateway
  expect(nodes).toHaveLength(1)
  let written: unknown
  try {
    const { call, licenseId } = await givenLicensed(gateway)
    await times(3, () => call())
    gateway.context.usage.add(licenseId, 'calls', { accepted: 4, refused: 1 })
    await gateway.context.usage.close()
    written = await query(database.url, 'SELECT calls, refused_calls FROM license_usage')
  } finally {
    await gateway[Symbol.asyncDispose]()
  }
  expect(written).toEqual([{ calls: 7, refused_calls: 1 }])
})
