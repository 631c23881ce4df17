import { migrateDatabase } from '../../src/migrate-database.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenLicensed, statuses, times } from '../support/licensed.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'
import { startRedisServer } from '../support/redis-server.ts'

const failures = async ({ context }: TestGateway) => {
  const text = await context.metrics.registry.metrics()
  return Number(/^wakeline_background_errors_total\{part="limits"\} (\d+)/m.exec(text)?.[1] ?? 0)
}

async function onOwnRedis() {
  const redis = await startRedisServer()
  const gateway = await startTestGateway({ backend: 'redis', redisUrl: redis.url, nodes: 2 })
  return {
    redis,
    gateway,
    [Symbol.asyncDispose]: async () => {
      redis.thaw()
      await redis.kill()
      // BullMQ's workers do not close while their Redis is away.
      await using _again = await startRedisServer({ port: redis.port })
      await gateway[Symbol.asyncDispose]()
    },
  }
}

describe('limits without their store', () => {
  test.each([
    ['killed', 'kill'],
    ['frozen', 'freeze'],
  ] as const)('that was %s: calls go on up to the limit, and no further', async (_state, hurt) => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    const { ring, call } = await givenLicensed(gateway, { callsPerDay: 40 })
    // The licence is known to the node, and so is what it has used.
    expect((await ring()).json.data.delivered).toBe(true)
    await redis[hurt]()
    const tokens = Array.from({ length: 20 }, apnsToken)
    const answers = await times(20, (i) => ring({ push_token: tokens[i] }))
    expect(answers.map(({ json }) => json.data?.delivered)).toEqual(tokens.map(() => true))
    expect(answers.at(-1)?.headers.get('ratelimit-policy')).toBe('50;w=10, 40;w=86400')
    // Its own limit, a node still keeps.
    expect(statuses(await times(30, () => call()))).toEqual({ 202: 19, 429: 11 })
    expect(await failures(gateway)).toBeGreaterThan(0)
  })

  test('that comes back: the nodes count together again', async () => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    const { call, owner } = await givenLicensed(gateway, { callsPerDay: 30 })
    for (const node of [0, 1]) expect((await call({}, node)).status).toBe(202)
    redis.freeze()
    expect(statuses(await times(10, () => call({}, 0)))).toEqual({ 202: 10 })
    redis.thaw()
    const used = async () => (await owner('GET', '/v1/license/usage')).json.data.calls.used
    await until(
      async () => {
        await call({}, 1)
        return gateway.nodes.every(({ context }) => !context.counters.isAway()) && (await used()) > 3
      },
      { description: 'the store is asked again' },
    )
    const answers = await times(40, (i) => call({}, i % 2))
    expect(statuses(answers)[429]).toBeGreaterThan(0)
  })

  test('that is PostgreSQL and frozen: calls go on', async () => {
    await using postgres = await startOwnPostgres()
    await migrateDatabase(postgres.url)
    await using gateway = await startTestGateway({ backend: 'postgres', databaseUrl: postgres.url })
    const { ring } = await givenLicensed(gateway)
    expect((await ring()).json.data.delivered).toBe(true)
    await postgres.freeze()
    try {
      const answers = await times(10, () => ring())
      expect(answers.map(({ json }) => json.data?.delivered)).toEqual(answers.map(() => true))
    } finally {
      await postgres.thaw()
    }
  })
})
