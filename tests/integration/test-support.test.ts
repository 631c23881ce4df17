import { Redis } from 'ioredis'
import { Client } from 'pg'
import { cloneDatabase } from '../support/databases.ts'
import { sharedRedisUrl, startRedisServer } from '../support/redis-server.ts'

describe('the services of the tests', () => {
  test('give many test files their own migrated database at once', async () => {
    const databases = await Promise.all(Array.from({ length: 8 }, cloneDatabase))
    await using opened = new AsyncDisposableStack()
    for (const database of databases) opened.use(database)
    const client = new Client({ connectionString: databases[0]?.url ?? '' })
    await client.connect()
    opened.defer(() => client.end())

    expect(new Set(databases.map(({ url }) => url)).size).toBe(8)
    const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS migrated', ['push_logs'])
    expect(rows).toEqual([{ migrated: true }])
  })

  test('share a Redis that refuses to forget', async () => {
    const redis = new Redis(sharedRedisUrl())
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
    redis.disconnect()
  })

  test('start a Redis that can be frozen, thawed, killed and started again', async () => {
    const server = await startRedisServer({ args: ['--databases', '3'] })
    const redis = new Redis(server.url, { retryStrategy: () => null })
    redis.on('error', () => undefined)
    expect(await redis.config('GET', 'databases')).toEqual(['databases', '3'])
    server.freeze()
    const answer = redis.ping()
    server.thaw()
    expect(await answer).toBe('PONG')

    const closed = new Promise((resolve) => redis.once('end', resolve))
    await server.kill()
    await closed
    await using again = await startRedisServer({ port: server.port })
    expect(again.url).toBe(server.url)
  })
})
