import { startMetricsServer } from '../../src/operator/metrics-server.ts'
import { runApi } from '../../src/run-api.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startRedisServer } from '../support/redis-server.ts'

async function scrape(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  return response.text()
}
const value = (text: string, series: string): number | undefined => {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.split(' ').at(-1))
}
/** A metrics server of its own next to the one that the gateway has started. */
const serve = async (gateway: TestGateway) => {
  const server = await startMetricsServer(gateway.context)
  return { url: server.url, [Symbol.asyncDispose]: () => server.close(0) }
}

describe.each(BACKENDS)('/metrics on %s', (backend) => {
  test('tells pushes, queues and the event loop, and no secret', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    await using server = await serve(gateway)
    const before = await scrape(server.url)
    expect(value(before, 'wakeline_queue_jobs{queue="calls",state="waiting"}')).toBe(0)
    expect(value(before, 'wakeline_queue_oldest_seconds{queue="calls"}')).toBe(0)

    const answer = await gateway.push(
      { caller_id: '+4930111222333', call_id: 'canary-4711' },
      { headers: { prefer: 'respond-async' } },
    )
    expect(answer.status).toBe(202)
    const text = await scrape(server.url)
    expect(value(text, 'wakeline_queue_jobs{queue="calls",state="waiting"}')).toBe(1)
    expect(value(text, 'wakeline_queue_oldest_seconds{queue="calls"}')).toBeLessThan(30)
    expect(value(text, 'wakeline_pushes_pending')).toBe(0)
    await gateway.message()
    const later = await scrape(server.url)
    expect(value(later, 'wakeline_pushes_pending')).toBe(1)
    expect(value(later, 'wakeline_pushes_pending_oldest_seconds')).toBeGreaterThan(0)
    for (const name of [
      'wakeline_pushes_total',
      'wakeline_hold_seconds',
      'nodejs_eventloop_lag_p99_seconds',
    ]) {
      expect(text).toContain(`# TYPE ${name}`)
    }
    expect(text).not.toMatch(/4930111222333|canary-4711/)
    expect(text).not.toContain(gateway.tenant.licenseKey)
    expect(text).not.toContain(answer.json.data.push_id)
  })
})

describe('the metrics port', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend: 'postgres', workers: false })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  test('serves these two paths and nothing else', async () => {
    await using server = await serve(gateway)
    const health = await fetch(`${server.url}/healthz`)
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }])
    for (const path of [
      '/',
      '/readyz',
      '/v1/push',
      '/operator/queues',
      '/docs',
      '/metrics/',
      '/metrics%00',
    ]) {
      expect([path, (await fetch(server.url + path)).status]).toEqual([path, 404])
    }
    const post = await fetch(`${server.url}/metrics`, { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  test('is another one than that of the API', async () => {
    expect((await fetch(`${gateway.url}/metrics`)).status).toBe(404)
  })

  test('stays on this machine by default', () => {
    expect(gateway.config.metrics.host).toBe('127.0.0.1')
  })

  test('opens and closes with the API', async () => {
    const api = await runApi(gateway.context)
    expect((await fetch(`${api.metricsUrl}/healthz`)).status).toBe(200)
    await api.close(100)
    await expect(fetch(`${api.metricsUrl}/healthz`)).rejects.toThrow()
  })

  test('when it is taken, the start says which variable to change, and leaves nothing open', async () => {
    await using server = await serve(gateway)
    const port = Number(new URL(server.url).port)
    const config = { ...gateway.config, metrics: { host: '127.0.0.1', port } }
    await expect(runApi({ ...gateway.context, config })).rejects.toMatchObject({
      name: 'StartError',
      message: `port ${port} on 127.0.0.1 is taken by another program; choose another one with METRICS_PORT`,
    })
  })

  test('when the port of the API is taken, the metrics port is given back', async () => {
    await using server = await serve(gateway)
    const free = Number(new URL(server.url).port)
    await server[Symbol.asyncDispose]()
    const http = { ...gateway.config.http, port: Number(new URL(gateway.url).port) }
    const config = { ...gateway.config, http, metrics: { host: '127.0.0.1', port: free } }
    await expect(runApi({ ...gateway.context, config })).rejects.toMatchObject({ name: 'StartError' })
    await expect(fetch(`http://127.0.0.1:${free}/healthz`)).rejects.toThrow()
  })
})

test('a frozen queue neither hangs a scrape nor leaves old numbers behind', async () => {
  await using redis = await startRedisServer()
  await using gateway = await startTestGateway({ backend: 'redis', redisUrl: redis.url, workers: false })
  await using server = await serve(gateway)
  expect(await scrape(server.url)).toContain('wakeline_queue_jobs{queue="calls"')
  redis.freeze()
  const text = await fetch(`${server.url}/metrics`, { signal: AbortSignal.timeout(5_000) }).then((r) =>
    r.text(),
  )
  expect(text).toContain('wakeline_pushes_total')
  expect(text).not.toContain('wakeline_queue_jobs{')
  expect(text).not.toContain('wakeline_queue_oldest_seconds{')
  redis.thaw()
  await until(async () => (await scrape(server.url)).includes('wakeline_queue_jobs{queue="calls"'), {
    description: 'the numbers are back',
  })
})
