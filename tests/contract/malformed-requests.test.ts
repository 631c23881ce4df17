import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { statuses, times } from '../support/licensed.ts'

/** What nobody can understand, each with the answer it gets. */
const FAULTS: readonly [number, (gateway: TestGateway) => ReturnType<TestGateway['request']>][] = [
  [400, ({ request }) => request('POST', '/v1/push', { body: '{"license_key":' })],
  [400, ({ request }) => request('POST', '/v1/license/validate', { body: {} })],
  [
    400,
    ({ request }) => request('POST', '/v1/license/activate', { body: { license_key: 'x', hostname: 5 } }),
  ],
  [400, ({ request }) => request('GET', '/v1/license/status')],
  [404, ({ request }) => request('GET', '/v1/license/none')],
  [405, ({ request }) => request('PATCH', '/v1/push', { body: {} })],
  [413, ({ request }) => request('POST', '/v1/push', { body: 'x'.repeat(1_100_000) })],
]

describe.each(BACKENDS)('requests that nobody can understand on %s', (backend) => {
  test('are told why, and are stopped when there are too many; who is known goes on', async () => {
    await using gateway = await startTestGateway({ backend, patient: true })
    const { licenseKey: license_key } = gateway.tenant
    expect((await gateway.push()).status).toBe(200)
    expect((await gateway.pbx('GET', '/extensions')).status).toBe(200)
    for (const [status, ask] of FAULTS) expect((await ask(gateway)).status).toBe(status)

    // A PBX that is known may say something wrong as often as it does.
    const wrong = () => gateway.push({ push_platform: 'telex' })
    expect(statuses(await times(400, wrong))).toEqual({ 400: 400 })
    expect((await gateway.request('GET', '/v1/license/status')).status).toBe(400)

    const ask = () => gateway.request('POST', '/v1/license/validate', { body: {} })
    const answers: Awaited<ReturnType<typeof ask>>[] = []
    for (let i = 0; i < 10; i += 1) answers.push(...(await times(50, ask)))
    const { 400: told = 0, 429: stopped = 0 } = statuses(answers)
    expect(told + stopped).toBe(500)
    // 300, of which some came before, and what was under way when it said so.
    expect(told).toBeLessThanOrEqual(300 + 50)
    expect(told).toBeGreaterThan(250)
    for (const [, each] of FAULTS) {
      const { status, json, headers } = await each(gateway)
      expect(status).toBe(429)
      expect(json).toMatchObject({ data: null, error: 'rate limit exceeded', code: 'rate_limited' })
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect((await gateway.push({ license_key: 'wrong' })).status).toBe(429)
    expect((await gateway.push()).status).toBe(200)
    expect((await wrong()).status).toBe(400)
    const validated = await gateway.request('POST', '/v1/license/validate', { body: { license_key } })
    expect(validated.status).toBe(200)
    // What has nothing to do with licence keys is not concerned.
    expect((await gateway.pbx('GET', '/extensions')).status).toBe(200)
    expect((await gateway.request('GET', '/healthz')).status).toBe(200)
  })
})

test('are not counted where limits are off', async () => {
  await using gateway = await startTestGateway({ backend: 'redis', env: { RATE_LIMITS: 'off' } })
  const ask = () => gateway.request('POST', '/v1/license/validate', { body: {} })
  expect(statuses(await times(400, ask))).toEqual({ 400: 400 })
})
