import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Backend } from '../../src/config/config.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { SECOND } from '../../src/lib/units.ts'
import { type Counters, createPostgresCounters, createRedisCounters } from '../../src/limits/counters.ts'
import { until } from './conditions.ts'
import { cloneDatabase } from './databases.ts'
import { sharedRedisUrl } from './redis-server.ts'

/** The counters of so many nodes over one store, which has all the time in the world. */
export async function openCounters(backend: Backend, nodes: number) {
  const releaser = createReleaser()
  const errors: Error[] = []
  let databaseUrl = ''
  const options = { onError: (error: Error) => void errors.push(error), answerMs: 30 * SECOND }
  const open: () => Counters = await {
    async redis() {
      const prefix = `t${randomBytes(6).toString('hex')}`
      return () => {
        const redis = releaser.add(new Redis(sharedRedisUrl()), (connection) => connection.disconnect())
        return createRedisCounters(redis, prefix, options)
      }
    },
    async postgres() {
      const database = releaser.add(await cloneDatabase(), (clone) => clone.drop())
      databaseUrl = database.url
      return () => {
        const pool = releaser.add(new pg.Pool({ connectionString: database.url }), (open) => open.end())
        // Its database goes away while it still says good-bye.
        pool.on('error', () => undefined)
        return createPostgresCounters(pool, options)
      }
    },
  }[backend]()
  const counters = Array.from({ length: nodes }, open)
  // A connection is ready with its first answer.
  await Promise.all(
    counters.map((one) =>
      until(
        () =>
          one.read('ready').then(
            () => true,
            () => false,
          ),
        { description: 'the store is there' },
      ),
    ),
  )
  errors.length = 0
  return { counters, errors, databaseUrl, [Symbol.asyncDispose]: () => releaser.release() }
}

/** A store in this process, with a clock that only the test moves. */
export function memoryCounters() {
  const clock = {
    at: 1_000_000,
    now: () => clock.at,
    monotonic: () => clock.at,
  }
  const store = { isAway: false, isBroken: false, asked: 0 }
  const kept = new Map<string, { total: number; endsAt: number }>()
  const find = (key: string) => {
    const found = kept.get(key)
    return found && found.endsAt > clock.at ? found : undefined
  }
  const answer = <T>(value: () => T): Promise<T> => {
    store.asked += 1
    return store.isBroken || store.isAway ? Promise.reject(new Error('broken')) : Promise.resolve(value())
  }
  const tell = ({ total, endsAt }: { total: number; endsAt: number }) => ({
    total,
    msLeft: endsAt - clock.at,
  })
  const counters: Counters = {
    add: (key, points, windowSeconds) =>
      answer(() => {
        const entry = find(key) ?? { total: 0, endsAt: clock.at + windowSeconds * SECOND }
        entry.total += points
        kept.set(key, entry)
        return tell(entry)
      }),
    read: (key) =>
      answer(() => {
        const entry = find(key)
        return entry && tell(entry)
      }),
    forget: (key) => answer(() => void kept.delete(key)),
    isAway: () => store.isAway,
    sweep: async () => undefined,
  }
  return { counters, clock, store }
}
