import { createTenant } from '../../src/license/create-tenant.ts'
import { BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** What a licence is good for beyond pushes: extensions and webhooks. */
describe.each(BACKENDS)('the size of a licence on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2 })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const customer = async (tier: 'free' | 'standard' = 'free') => {
    const tenant = await createTenant(gateway.context, { name: 'small', tier })
    const headers = { authorization: `Bearer ${tenant.pbxKey}` }
    const put = (number: string, body: unknown = {}, node = 0) =>
      gateway.request('PUT', `/api/v1/pbx/extensions/${number}`, {
        body,
        headers,
        base: gateway.nodes[node]?.url ?? '',
      })
    const remove = (number: string) =>
      gateway.request('DELETE', `/api/v1/pbx/extensions/${number}`, { headers })
    const license = () => gateway.context.db('licenses').where({ tenant_id: tenant.tenantId })
    return { tenant, put, remove, license }
  }

  test('five extensions, and no sixth; those that are there can still be changed', async () => {
    const { put, remove } = await customer()
    for (const number of ['1', '2', '3', '4', '5']) expect((await put(number)).status).toBe(200)
    const refused = await put('6')
    expect(refused.status).toBe(403)
    expect(refused.json).toMatchObject({
      data: null,
      error: 'the licence has no room for another extension',
      code: 'TOO_MANY_EXTENSIONS',
      hint: 'there are 5 extensions, and the licence is for 5: remove one, or have the licence changed',
      in_use: 5,
      max_extensions: 5,
    })
    expect((await put('5', { name: 'Ada' })).json.data).toMatchObject({ number: '5', name: 'Ada' })
    expect((await remove('5')).json.data).toEqual({ status: 'ok' })
    expect((await remove('5')).json).toMatchObject({ data: null, code: 'unknown_extension' })
    expect((await put('6')).status).toBe(200)
  })

  test('exactly five of fifty at the same time, at two nodes', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { put, tenant } = await customer()
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => put(`${i}`, {}, i % 2)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
      expect(answers.filter(({ status }) => status === 403)).toHaveLength(45)
      expect(await gateway.context.db('extensions').where({ tenant_id: tenant.tenantId })).toHaveLength(5)
    }
  })

  test('licences of a tenant add up, and one that is not in force does not count', async () => {
    const { put, license } = await customer()
    for (const number of ['1', '2', '3', '4', '5']) await put(number)
    await license().update({ suspended_at: new Date() })
    expect((await put('6')).json).toMatchObject({ code: 'TOO_MANY_EXTENSIONS', max_extensions: 0 })
    // A call of an extension that is there goes on all the same.
    expect((await put('5', { dnd: true })).status).toBe(200)
    await license().update({ suspended_at: null, max_extensions: 6 })
    expect((await put('6')).status).toBe(200)
  })

  test('another tenant is not counted, nor changed', async () => {
    const [one, two] = [await customer(), await customer()]
    for (const number of ['1', '2', '3', '4', '5']) await one.put(number)
    expect((await two.put('1')).status).toBe(200)
    expect((await two.remove('2')).json.code).toBe('unknown_extension')
    expect((await one.put('2', { name: 'still there' })).status).toBe(200)
  })

  test('a lane is for licences that include it, and what is refused is not counted', async () => {
    const { tenant, license } = await customer()
    await license().update({ entitlements: ['messages'] })
    const push = { license_key: tenant.licenseKey }
    const call = await gateway.push(push)
    expect([call.status, call.json]).toMatchObject([
      403,
      { code: 'ENTITLEMENT_MISSING', hint: 'this licence does not include: calls' },
    ])
    expect(call.headers.get('ratelimit-remaining')).toBeNull()
    expect((await gateway.message(push)).status).toBe(202)
    const item = { push_token: fcmToken(), push_platform: 'fcm' }
    const pushes = [
      { ...item, id: 'a', kind: 'call', call_id: 'x' },
      { ...item, id: 'b', kind: 'message', message_id: 'm', text: 'Hello' },
    ]
    const batch = await gateway.request('POST', '/v1/push/batch', { body: { ...push, pushes } })
    expect(batch.json.data.results).toMatchObject([
      { id: 'a', status: 'refused', code: 'ENTITLEMENT_MISSING' },
      { id: 'b', status: 'queued' },
    ])
    expect(gateway.simulators.apns.received).toHaveLength(0)
  })

  test('webhooks are for licences that include them', async () => {
    const { tenant, license } = await customer()
    const list = () =>
      gateway.request('GET', '/v1/webhooks', { headers: { 'x-license-key': tenant.licenseKey } })
    await license().update({ entitlements: ['calls'] })
    const refused = await list()
    expect(refused.status).toBe(403)
    expect(refused.json).toMatchObject({
      error: 'the licence does not include this',
      code: 'ENTITLEMENT_MISSING',
      hint: 'this licence does not include: webhooks',
    })
    const allowed = await customer()
    const good = await gateway.request('GET', '/v1/webhooks', {
      headers: { 'x-license-key': allowed.tenant.licenseKey },
    })
    expect(good.status).toBe(200)
  })
})
