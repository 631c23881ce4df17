import { createHmac } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newId } from '../../src/lib/ids.ts'
import { createCertificates } from '../../src/simulators/certificates.ts'
import { inCluster, MESSAGE_WORKER_PROGRAM, startProgram } from '../support/cluster.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { signatureOf } from '../support/webhook-node.ts'
import { type ReceivedWebhook, startWebhookReceiver } from '../support/webhook-receiver.ts'

const opened = { WEBHOOK_PRIVATE_NETWORKS: '127.0.0.0/8' }

/** What an owner says, with the key of his licence. */
const asOwner =
  ({ request, tenant }: TestGateway, licenseKey = tenant.licenseKey) =>
  (method: string, path: string, body?: Record<string, unknown>) =>
    request(method, `/v1/webhooks${path}`, {
      headers: { 'x-license-key': licenseKey },
      ...(body && { body }),
    })

const fits = (received: ReceivedWebhook, secret: string): boolean => {
  const { t, v1 } = signatureOf(received)
  return v1.includes(createHmac('sha256', secret).update(`${t}.${received.body}`).digest('hex'))
}

describe.each(BACKENDS)('webhooks on %s', (backend) => {
  test('an owner is told from the first test to the last rotation', async () => {
    await using gateway = await startTestGateway({ backend, env: opened })
    await using receiver = await startWebhookReceiver()
    const owner = asOwner(gateway)

    const created = await gateway.request('POST', '/v1/webhooks', {
      body: { url: receiver.url, license_key: gateway.tenant.licenseKey },
    })
    expect(created.status).toBe(201)
    const { id, secret, ...rest } = created.json.data
    expect(rest).toEqual({ url: receiver.url })
    expect(secret).toMatch(/^whsec_[\w-]{43}$/)
    expect((await owner('GET', '')).json.data.webhooks).toEqual([
      { id, url: receiver.url, created_at: expect.stringMatching(/Z$/), pending: 0 },
    ])

    receiver.answers({ status: 500 })
    const tested = await owner('POST', `/${id}/test`)
    expect(tested.status).toBe(202)
    const { event_id } = tested.json.data
    await until(() => receiver.received.length === 1, { description: 'the first attempt' })
    const failed = await until(
      async () => {
        const [webhook] = (await owner('GET', '')).json.data.webhooks
        return webhook.last_delivery && webhook
      },
      { description: 'the failure is seen' },
    )
    expect(failed).toMatchObject({
      pending: 1,
      last_delivery: { event_id, type: 'webhook.test', state: 'pending', attempts: 1, last_status: 500 },
    })

    const rotated = await owner('POST', `/${id}/rotate`)
    expect(rotated.status).toBe(200)
    expect(Date.parse(rotated.json.data.previous_secret_valid_until)).toBeGreaterThan(Date.now())
    expect((await owner('POST', `/${id}/deliveries/${event_id}/redeliver`)).status).toBe(202)
    await gateway.context.webhooks.announce(gateway.tenant.tenantId, {
      type: 'token.invalidated',
      data: { reason: 'Unregistered' },
    })
    await until(() => receiver.received.length === 3, { description: 'the others' })
    const [first, ...later] = receiver.received
    expect(first && fits(first, secret)).toBe(true)
    for (const received of later) {
      expect([secret, rotated.json.data.secret].map((key) => fits(received, key))).toEqual([true, true])
    }
    expect(later.map(({ body }) => JSON.parse(body)).map(({ type, data }) => ({ type, data }))).toEqual(
      expect.arrayContaining([
        { type: 'webhook.test', data: { webhook_id: id } },
        { type: 'token.invalidated', data: { reason: 'Unregistered' } },
      ]),
    )

    const answers = await until(
      async () => {
        const [list, page] = [await owner('GET', ''), await owner('GET', `/${id}/deliveries`)]
        return list.json.data.webhooks[0].pending === 0 && [list.text, page.text].join()
      },
      { description: 'all is delivered' },
    )
    expect(answers).not.toContain('whsec_')
    expect((await owner('DELETE', `/${id}`)).json).toEqual({ data: { status: 'ok' } })
    expect((await owner('GET', '')).json.data.webhooks).toEqual([])
    expect((await owner('DELETE', `/${id}`)).status).toBe(404)
  })

  test('faults have codes: no licence, no URL, one that may not be reached, twice the same, too many', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const owner = asOwner(gateway)
    const refused = async (answer: ReturnType<typeof owner>) => {
      const { status, json } = await answer
      expect(json.data).toBeNull()
      return { status, code: json.code, ...(json.field && { field: json.field }) }
    }
    expect(await refused(gateway.request('GET', '/v1/webhooks'))).toEqual({
      status: 400,
      code: 'license_key_required',
      field: 'license_key',
    })
    expect(await refused(asOwner(gateway, 'WL-WRONG')('GET', ''))).toEqual({
      status: 403,
      code: 'KEY_MISTYPED',
    })
    for (const body of [{}, { url: 5 }, { url: null }]) {
      const fault = { status: 400, code: 'invalid_request', field: 'url' }
      expect(await refused(owner('POST', '', body))).toEqual(fault)
    }
    const extra = { url: 'https://example.com/', secret: 'mine' }
    expect(await refused(owner('POST', '', extra))).toMatchObject({
      code: 'invalid_request',
      field: 'secret',
    })
    for (const url of [
      '',
      'nonsense',
      'http://example.com/',
      'https://127.0.0.1/',
      'https://a@example.com/',
    ]) {
      const fault = { status: 400, code: 'invalid_webhook_url', field: 'url' }
      expect(await refused(owner('POST', '', { url }))).toEqual(fault)
    }
    expect((await owner('POST', '', { url: 'https://example.com' })).status).toBe(201)
    for (const url of ['https://example.com', 'https://EXAMPLE.com:443/', 'https://example.com/.']) {
      const fault = { status: 409, code: 'webhook_exists', field: 'url' }
      expect(await refused(owner('POST', '', { url }))).toEqual(fault)
    }
    for (const path of ['a', 'b', 'c', 'd']) {
      expect((await owner('POST', '', { url: `https://example.com/${path}` })).status).toBe(201)
    }
    const sixth = await owner('POST', '', { url: 'https://example.com/e' })
    expect(await refused(Promise.resolve(sixth))).toEqual({ status: 409, code: 'too_many_webhooks' })
    expect(sixth.json.error).toContain('5')
  })

  test('what is another tenant’s does not exist', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const other = asOwner(gateway, (await gateway.otherTenant()).licenseKey)
    const owner = asOwner(gateway)
    const { id } = (await owner('POST', '', { url: 'https://example.com/' })).json.data
    const { event_id } = (await owner('POST', `/${id}/test`)).json.data
    const own = (await other('POST', '', { url: 'https://example.com/' })).json.data.id

    const ways: [string, (hook: string) => string][] = [
      ['DELETE', (hook) => `/${hook}`],
      ['POST', (hook) => `/${hook}/rotate`],
      ['POST', (hook) => `/${hook}/test`],
      ['GET', (hook) => `/${hook}/deliveries`],
      ['POST', (hook) => `/${hook}/deliveries/${event_id}/redeliver`],
    ]
    for (const [method, path] of ways) {
      for (const hook of [id, newId()]) {
        const answer = await other(method, path(hook))
        expect([method, path(hook), answer.status, answer.json.code]).toEqual([
          method,
          path(hook),
          404,
          'unknown_webhook',
        ])
      }
      expect((await other(method, path('1'))).json.code).toBe('invalid_request')
    }
    const foreign = await other('POST', `/${own}/deliveries/${event_id}/redeliver`)
    expect([foreign.status, foreign.json.code]).toEqual([404, 'unknown_delivery'])
    expect((await other('GET', '')).json.data.webhooks).toHaveLength(1)
    expect((await owner('GET', '')).json.data.webhooks).toMatchObject([{ id, pending: 1 }])
  })

  test('deliveries come page by page, newest first', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const owner = asOwner(gateway)
    const { id } = (await owner('POST', '', { url: 'https://example.com/' })).json.data
    const ids: string[] = []
    for (let i = 0; i < 5; i += 1) ids.unshift((await owner('POST', `/${id}/test`)).json.data.event_id)
    const seen: string[] = []
    let cursor = ''
    for (const size of [2, 2, 1]) {
      const { json } = await owner('GET', `/${id}/deliveries?limit=2${cursor}`)
      expect(json.data.deliveries).toHaveLength(size)
      seen.push(...json.data.deliveries.map(({ event_id }: { event_id: string }) => event_id))
      expect('next_cursor' in json.data).toBe(size === 2)
      cursor = `&cursor=${json.data.next_cursor}`
    }
    // Those of one millisecond are in no order.
    expect([...seen].sort()).toEqual([...ids].sort())
    expect(seen).toEqual([...seen].sort().reverse())
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=1']) {
      const { status, json } = await owner('GET', `/${id}/deliveries?${query}`)
      expect([status, json.code, json.field]).toEqual([400, 'invalid_request', query.split('=')[0]])
    }
    expect((await owner('GET', `/${id}/deliveries`)).json.data).toEqual({
      deliveries: seen.map((event_id) => ({
        event_id,
        type: 'webhook.test',
        state: 'pending',
        attempts: 0,
        created_at: expect.any(String),
        next_attempt_at: expect.any(String),
      })),
    })
  })

  test('two workers share the work over HTTPS; what they had when they were killed is done by another', async () => {
    await using directory = await temporaryDirectory()
    const certificates = await createCertificates(['127.0.0.1'])
    const authority = join(directory.path, 'ca.pem')
    await writeFile(authority, certificates.ca)
    await using receiver = await startWebhookReceiver(certificates)
    // 30 tests at once are more than a minute's.
    const clusterEnv = { ...opened, NODE_EXTRA_CA_CERTS: authority, RATE_LIMITS: 'off' }
    const options = { backend, callWorkers: 0, messageWorkers: 2, env: clusterEnv }
    await inCluster(options, async ({ request, urls: [api = ''], tenant, messageWorkers, db, env }) => {
      const headers = { 'x-license-key': tenant.licenseKey }
      const { id } = (await request(api, 'POST', '/v1/webhooks', { url: receiver.url }, headers)).json.data
      const announce = () => request(api, 'POST', `/v1/webhooks/${id}/test`, undefined, headers)
      await Promise.all(Array.from({ length: 30 }, announce))
      const rows = () => db('webhook_deliveries').select('*')
      await until(async () => (await rows()).every(({ delivered_at }) => delivered_at), {
        description: 'all is delivered',
        timeoutMs: 15_000,
      })
      expect(receiver.received).toHaveLength(30)
      const eventIds = receiver.received.map((each) => each.headers['wakeline-event-id'])
      expect(new Set(eventIds).size).toBe(30)

      receiver.behaves('silent')
      const { event_id } = (await announce()).json.data
      await until(() => receiver.open() === 1, { description: 'a worker has it' })
      for (const worker of messageWorkers) worker.kill('SIGKILL')
      await Promise.all(messageWorkers.map(({ exited }) => exited))
      receiver.behaves({ status: 200 })
      const held = () => db('webhook_deliveries').first().where({ event_id })
      const leftMs = (await held()).next_attempt_at.getTime() - Date.now()
      expect(leftMs).toBeGreaterThan(40_000)
      expect(leftMs).toBeLessThanOrEqual(60_000)
      await db('webhook_deliveries').where({ event_id }).update({ next_attempt_at: new Date() })
      await using another = startProgram('another worker', MESSAGE_WORKER_PROGRAM, env)
      await another.logged('workers are ready')
      await until(async () => (await held()).delivered_at, { description: 'it is delivered after all' })
      expect(await held()).toMatchObject({ attempts: 2, last_status: 200 })
    })
  }, 120_000)
})
