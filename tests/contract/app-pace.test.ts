import { BACKENDS, startTestGateway } from '../support/gateway.ts'

/** FlowPBX's limit per address: 20 requests a second, 40 at once, and `Retry-After: 1`. */
const env = { APP_REQUESTS_PER_SECOND: '20', TRUST_PROXY_HOPS: '1' }

test.each(BACKENDS)('an address that asks too often has to wait, and no other, on %s', async (backend) => {
  await using gateway = await startTestGateway({ backend, workers: false, env })
  const ask = (address: string, path = '/api/v1/app/me') =>
    gateway.request(path.endsWith('refresh') ? 'POST' : 'GET', path, {
      headers: { 'x-forwarded-for': address },
      ...(path.endsWith('refresh') && { body: { refresh_token: 'x' } }),
    })
  for (const path of ['/api/v1/app/me', '/api/v1/app/auth/refresh']) {
    const address = path.endsWith('me') ? '198.51.100.1' : '198.51.100.2'
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(address, path)))
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(40)
    expect(refused.length).toBeGreaterThan(0)
    for (const { json, headers } of refused) {
      expect([json.error, headers.get('retry-after')]).toEqual(['rate limit exceeded', '1'])
    }
  }
  expect((await ask('198.51.100.3')).status).toBe(401)
})

test('RATE_LIMITS=off leaves it out', async () => {
  const off = { ...env, RATE_LIMITS: 'off' }
  await using gateway = await startTestGateway({ backend: 'postgres', workers: false, env: off })
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => gateway.request('GET', '/api/v1/app/me')),
  )
  expect(answers.every(({ status }) => status === 401)).toBe(true)
})
