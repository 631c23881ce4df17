import { DAY, HOUR, SECOND } from '../../src/lib/units.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { newLicenseKey } from '../../src/license/license-key.ts'
import { migrateDatabase } from '../../src/migrate-database.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'

/** What is promised, and what a busy machine may add to it. */
const REVOKED_WITHIN_MS = 5 * SECOND
const SLACK_MS = 3 * SECOND

const graceCount = async ({ context }: TestGateway, reason: string) => {
  const text = await context.metrics.registry.metrics()
  const [, count] = new RegExp(`wakeline_license_grace_total\\{reason="${reason}"\\} (\\d+)`).exec(text) ?? []
  return Number(count ?? 0)
}

describe.each(BACKENDS)('a licence on two nodes over %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2 })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const base = () => gateway.nodes[1]?.url ?? ''
  const customer = async () => {
    const made = await createTenant(gateway.context, { name: 'test', tier: 'free' })
    const { licenseKey: license_key } = made
    return {
      ...made,
      push: () => gateway.push({ license_key }, { base: base() }),
      validate: () =>
        gateway.request('POST', '/v1/license/validate', { body: { license_key }, base: base() }),
      activate: () =>
        gateway.request('POST', '/v1/license/activate', {
          ...{ body: { license_key, hostname: 'pbx1' }, base: base() },
        }),
      status: () => gateway.request('GET', `/v1/license/status?license_key=${license_key}`, { base: base() }),
      change: (changes: Record<string, unknown>) =>
        gateway.context.db('licenses').where({ id: made.licenseId }).update(changes),
      changeKey: (changes: Record<string, unknown>) =>
        gateway.context.db('license_keys').where({ license_id: made.licenseId }).update(changes),
    }
  }

  test('that is revoked at one is refused by the other within 5 s, and so are suspended ones', async () => {
    for (const [code, change] of [
      ['REVOKED', { revoked_at: new Date() }],
      ['SUSPENDED', { suspended_at: new Date() }],
    ] as const) {
      const { change: apply, push, validate } = await customer()
      expect((await push()).status).toBe(200)
      const begin = performance.now()
      await apply(change)
      await until(async () => (await validate()).status === 404, { description: 'the other node refuses it' })
      expect(performance.now() - begin).toBeLessThan(REVOKED_WITHIN_MS + SLACK_MS)
      expect((await validate()).json.code).toBe(code)
      const refused = await push()
      expect(refused.status).toBe(403)
      expect(refused.json).toMatchObject({ error: 'invalid or expired license key', code })
    }
  })

  test('that has just ended goes on pushing with a warning, and everything else says when that ends', async () => {
    const { change, push, validate, activate, status } = await customer()
    const end = Date.now() - HOUR
    await change({ expires_at: new Date(end) })
    const counted = await graceCount(gateway, 'expired')
    const pushed = await gateway.push({ license_key: (await status()).json.data.key })
    expect(pushed.status).toBe(200)
    const grace_until = new Date(end + 7 * DAY).toISOString()
    expect(pushed.headers.get('x-license-warning')).toBe(`EXPIRED; until=${grace_until}`)
    expect((await graceCount(gateway, 'expired')) - counted).toBe(1)
    expect((await push()).headers.get('x-license-warning')).toBe(`EXPIRED; until=${grace_until}`)
    const refusal = { data: null, error: 'license key not found or expired', code: 'EXPIRED', grace_until }
    const [validated, activated] = [await validate(), await activate()]
    expect([validated.status, activated.status]).toEqual([404, 403])
    expect(validated.json).toMatchObject(refusal)
    expect(activated.json).toMatchObject(refusal)
    expect((await status()).json.data).toMatchObject({ active: false, code: 'EXPIRED', grace_until })
  })

  test('that ended longer ago is refused', async () => {
    const { change, push, validate } = await customer()
    await change({ expires_at: new Date(Date.now() - 7 * DAY - 1) })
    const refused = await push()
    expect(refused.status).toBe(403)
    expect(refused.json).toMatchObject({ error: 'invalid or expired license key', code: 'EXPIRED' })
    expect(refused.headers.get('x-license-warning')).toBeNull()
    expect((await validate()).json).not.toHaveProperty('grace_until')
  })

  test('whose key was replaced takes the old one for a while, with a warning', async () => {
    const { changeKey, push, validate, activate, status } = await customer()
    const end = Date.now() + HOUR
    await changeKey({ expires_at: new Date(end) })
    for (const answer of [await push(), await validate(), await activate(), await status()]) {
      expect(answer.status).toBe(200)
      expect(answer.headers.get('x-license-warning')).toBe(
        `KEY_REPLACED; until=${new Date(end).toISOString()}`,
      )
    }
  })

  test('whose key was replaced long ago refuses it', async () => {
    const { changeKey, push, validate, status } = await customer()
    await changeKey({ expires_at: new Date(Date.now() - 1) })
    const answers = [await push(), await validate(), await status()]
    expect(answers.map(({ status }) => status)).toEqual([403, 404, 404])
    for (const { json } of answers) expect(json.code).toBe('KEY_REPLACED')
  })

  test('with several warnings tells them all', async () => {
    const { change, changeKey, push } = await customer()
    await change({ expires_at: new Date() })
    await changeKey({ expires_at: new Date(Date.now() + HOUR) })
    expect((await push()).headers.get('x-license-warning')).toMatch(
      /^EXPIRED; until=\S+Z, KEY_REPLACED; until=\S+Z$/,
    )
  })
})

/** A time of grace is for licences that ended; an outage has one of its own. */
const OUTAGES = BACKENDS.flatMap(
  (backend) =>
    [
      [backend, '7'],
      [backend, '0'],
    ] as const,
)
// Together: each of them waits for what a frozen server never answers.
test.concurrent.each(OUTAGES)(
  'with the database frozen, known licences go on (%s, grace of %s days)',
  async (backend, days) => {
    await using postgres = await startOwnPostgres()
    await migrateDatabase(postgres.url)
    await using gateway = await startTestGateway({
      ...{ backend, databaseUrl: postgres.url },
      env: { LICENSE_GRACE_DAYS: days },
    })
    const { licenseKey: license_key } = gateway.tenant
    expect((await gateway.push()).status).toBe(200)
    const validate = (key: string) =>
      gateway.request('POST', '/v1/license/validate', { body: { license_key: key } })
    const status = () => gateway.request('GET', `/v1/license/status?license_key=${license_key}`)
    expect((await validate(license_key)).status).toBe(200)
    await postgres.freeze()
    try {
      const pushed = await until(
        async () => {
          const answer = await gateway.push()
          return answer.headers.has('x-license-warning') ? answer : undefined
        },
        { description: 'what is known of the licence is stale' },
      )
      expect(pushed.headers.get('x-license-warning')).toBe('UNVERIFIED')
      expect(pushed.status).toBe(200)
      expect(await graceCount(gateway, 'store_unavailable')).toBeGreaterThan(0)
      const validated = await validate(license_key)
      expect(validated.status).toBe(200)
      expect(validated.headers.get('x-license-warning')).toBe('UNVERIFIED')
      // What only the database can tell is an error, and no verdict about the licence.
      const activate = () =>
        gateway.request('POST', '/v1/license/activate', { body: { license_key, hostname: 'pbx1' } })
      const seat = { license_key, hostname: 'pbx1' }
      const named = () => gateway.request('POST', '/v1/license/validate', { body: seat })
      const call = () => gateway.push({ license_key: newLicenseKey() })
      const message = () => gateway.message({ license_key: newLicenseKey() })
      const answers = await Promise.all([validate(newLicenseKey()), status(), activate(), named(), call()])
      // Upon a 503 it is brought again.
      const owed = await message()
      for (const answer of [...answers, owed]) {
        expect(answer.status).toBe(answer === owed ? 503 : 500)
        expect(answer.headers.get('retry-after')).toBe('1')
        expect(answer.json).toMatchObject({ data: null, error: 'internal error', code: 'store_unavailable' })
      }
    } finally {
      await postgres.thaw()
    }
    await until(async () => (await status()).status === 200, { description: 'the database is back' })
  },
  180_000,
)
