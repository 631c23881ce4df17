import { randomBytes } from 'node:crypto'
import { newLicenseKey } from '../../src/license/license-key.ts'
import { until } from '../support/conditions.ts'
import { type Answer, BACKENDS, startTestGateway } from '../support/gateway.ts'

/** Who tries keys finds none and is stopped soon; who has one goes on, also from the same address. */
const GUESSES = 10_000
const AT_ONCE = 100
/** What the guard lets through until it blocks, and what was under way when it said so. */
const JUDGED_AT_MOST = 60 + AT_ONCE
/** The first block lasts 30 s and the second one 60 s; whoever is still guessing then is judged again. */
const BLOCKS_END_AFTER_MS = [30_000, 90_000]

test.each(BACKENDS)(
  '10,000 random keys: no hit, 429 soon, and a good key goes on (%s)',
  async (backend) => {
    await using gateway = await startTestGateway({ backend, patient: true })
    const { licenseKey } = gateway.tenant
    const ask = (key: string, index: number): Promise<Answer> => {
      const headers = { 'x-license-key': key, 'x-forwarded-for': `198.51.100.${index % 250}` }
      if (index % 3 === 0) return gateway.request('GET', '/v1/license/status', { headers })
      const [path, body] =
        index % 3 === 1 ? ['validate', {}] : ['activate', { hostname: `pbx${index}`, version: '' }]
      return gateway.request('POST', `/v1/license/${path}`, { headers, body })
    }
    const guess = (index: number) =>
      index % 2 === 0 ? newLicenseKey() : randomBytes(16).toString('base64url')
    expect((await ask(licenseKey, 1)).status).toBe(200)

    const begin = performance.now()
    const counts: Record<number, number> = {}
    for (let done = 0; done < GUESSES; done += AT_ONCE) {
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => ask(guess(i), done + i)))
      for (const { status, json, headers } of answers) {
        counts[status] = (counts[status] ?? 0) + 1
        if (status !== 429) continue
        expect(json).toMatchObject({ data: null, error: 'rate limit exceeded', code: 'rate_limited' })
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      }
      // In the midst of it, the tenant of the same address.
      if (done % 1_000 === 0) {
        expect((await ask(licenseKey, 1)).status).toBe(200)
        expect((await gateway.push()).status).toBe(200)
      }
    }
    const took = performance.now() - begin
    const rounds = 1 + BLOCKS_END_AFTER_MS.filter((end) => took > end).length
    const { 403: refused = 0, 404: unknown = 0, 429: stopped = 0 } = counts
    expect(refused + unknown + stopped).toBe(GUESSES)
    expect(refused + unknown).toBeLessThanOrEqual(rounds * JUDGED_AT_MOST)
    // Each route is guarded.
    for (const index of [0, 1, 2]) expect((await ask(newLicenseKey(), index)).status).toBe(429)
    expect((await gateway.push({ license_key: newLicenseKey() })).status).toBe(429)
    expect((await gateway.push()).status).toBe(200)
  },
  180_000,
)

test.each(BACKENDS)(
  'behind a blocked address, a PBX new to the node is let in at its second try (%s)',
  async (backend) => {
    await using gateway = await startTestGateway({ backend, patient: true })
    const guess = () => gateway.push({ license_key: newLicenseKey() })
    await Promise.all(Array.from({ length: 70 }, guess))
    expect((await guess()).status).toBe(429)
    const calls = () => gateway.pbx('GET', '/extensions')
    expect((await gateway.push()).status).toBe(429)
    expect((await gateway.push()).status).toBe(200)
    expect((await calls()).status).toBe(429)
    await until(async () => (await calls()).status === 200, {
      description: 'the other key is looked up, too',
    })
    expect((await guess()).status).toBe(429)
    expect([(await gateway.push()).status, (await calls()).status]).toEqual([200, 200])
  },
)
