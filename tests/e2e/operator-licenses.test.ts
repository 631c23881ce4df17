import { createTenant } from '../../src/license/create-tenant.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator } from '../support/operators.ts'

/** What an operator does at one node holds on every node within 5 s; the rest is for a busy machine. */
const WITHIN_MS = 5_000 + 3_000

describe.each(BACKENDS)('two nodes with %s', (backend) => {
  let gateway: TestGateway
  let cookie: string
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2 })
    cookie = (await givenOperator(gateway, 'admin')).cookie
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const at = (node: number) => ({ base: gateway.nodes[node]?.url ?? '' })
  const act = (id: string, name: string, body: object) =>
    gateway.request('POST', `/api/v1/operator/licenses/${id}/${name}`, {
      body,
      headers: { cookie },
      ...at(0),
    })
  const pushAtB = (key: string) => gateway.push({ license_key: key }, at(1))
  /** What the other node says to this key, without a push that would count. */
  const saidByB = async (key: string): Promise<string> => {
    const answer = await gateway.request('GET', '/v1/webhooks', {
      headers: { 'x-license-key': key },
      ...at(1),
    })
    return answer.status === 200 ? 'good' : answer.json.code
  }
  const untilB = (key: string, says: string) =>
    until(async () => (await saidByB(key)) === says, {
      timeoutMs: WITHIN_MS,
      description: `the other node says ${says}`,
    })

  test('what one of them ends is refused by the other', async () => {
    const ends = [
      ['suspend', { reason: 'open invoice' }, 'SUSPENDED'],
      ['revoke', { reason: 'over' }, 'REVOKED'],
      ['rotate', { overlap_days: 0 }, 'KEY_REPLACED'],
    ] as const
    await Promise.all(
      ends.map(async ([name, body, code]) => {
        const { licenseId, licenseKey } = await createTenant(gateway.context, { name, tier: 'standard' })
        expect((await pushAtB(licenseKey)).status).toBe(200)
        const confirm = name === 'suspend' ? {} : { confirm: licenseKey.slice(0, 9) }
        const done = await act(licenseId, name, { ...body, ...confirm })
        expect(done.status).toBe(200)
        await untilB(licenseKey, code)
        const refused = await pushAtB(licenseKey)
        expect([refused.status, refused.json.code]).toEqual([403, code])
        const successor = done.json.data.license_key
        if (successor !== undefined) expect((await pushAtB(successor)).status).toBe(200)
      }),
    )
  })

  test('a reinstated and a renewed licence work again', async () => {
    const { licenseId, licenseKey } = await createTenant(gateway.context, {
      name: 'back',
      tier: 'standard',
      // Over, and its time of grace as well.
      expiresAt: Date.UTC(2020, 0, 1),
    })
    expect((await pushAtB(licenseKey)).json.code).toBe('EXPIRED')
    await act(licenseId, 'suspend', { reason: 'open invoice' })
    await untilB(licenseKey, 'SUSPENDED')
    expect((await act(licenseId, 'reinstate', {})).status).toBe(200)
    expect((await act(licenseId, 'renew', { months: 1 })).status).toBe(200)
    await untilB(licenseKey, 'good')
    expect((await pushAtB(licenseKey)).status).toBe(200)
  })

  test('the owner is told by webhook, without reasons and keys', async () => {
    const { licenseId, licenseKey } = await createTenant(gateway.context, { name: 'told', tier: 'standard' })
    const headers = { 'x-license-key': licenseKey }
    const { json } = await gateway.request('POST', '/v1/webhooks', {
      body: { url: 'https://pbx.example/' },
      headers,
    })
    await act(licenseId, 'renew', { never: true })
    const { data } = (await act(licenseId, 'rotate', { overlap_days: 3 })).json
    await act(licenseId, 'suspend', { reason: 'open invoice' })
    const rows = await gateway.context
      .db('webhook_deliveries')
      .where({ webhook_id: json.data.id })
      .orderBy('created_at')
    const told = rows.map((row) => JSON.parse(row.body))
    // Renewing what never ends changed nothing.
    expect(told.map(({ type }) => type)).toEqual(['license.key_rotated', 'license.suspended'])
    expect(told[0].data).toMatchObject({
      license_id: licenseId,
      state: 'active',
      key_prefix: data.license_key.slice(0, 9),
      previous_until: data.previous_keys_until,
    })
    expect(told[1].data).toMatchObject({
      license_id: licenseId,
      state: 'suspended',
      tier: 'standard',
      expires_at: null,
    })
    for (const secret of ['open invoice', licenseKey, data.license_key])
      expect(JSON.stringify(rows)).not.toContain(secret)
  })
})
