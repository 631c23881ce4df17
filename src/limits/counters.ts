import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import { RateLimiterPostgres, RateLimiterRedis, type RateLimiterStoreAbstract } from 'rate-limiter-flexible'
import { inTime } from '../lib/deadline.ts'
import { SECOND } from '../lib/units.ts'

/** Numbers that all nodes count together; each is forgotten some time after its first point. */
export interface Counters {
  /**
   * Adds and tells what there is then. The window begins with the first point and lasts `windowSeconds`. Rejects when the store
   * fails, is slow, or was so a moment ago: then the points may have been counted or not.
   */
  add(key: string, points: number, windowSeconds: number): Promise<Count>
  /** Undefined: nothing is counted under this key. Rejects as `add` does. */
  read(key: string): Promise<Count | undefined>
  forget(key: string): Promise<void>
  /** The store failed a moment ago, and it is not yet time to ask it again: `add` and `read` would reject at once. */
  isAway(): boolean
  /** Removes what has expired, where the store does not do it by itself. */
  sweep(): Promise<void>
}

export interface Count {
  total: number
  /** Milliseconds to the end of the window. */
  msLeft: number
}

/** A call waits for it. A store that takes longer is as good as away. */
const ANSWER_MS = 100
/** One question per second finds out that the store is back; nobody else waits for it meanwhile. */
const PROBE_EVERY_MS = SECOND

export interface CounterOptions {
  /** Hears of each failure that is not known yet. */
  onError: (error: Error) => void
  answerMs?: number | undefined
}

/** What we ask is judged by ourselves, from the totals: the library only counts. */
const NO_LIMIT = { points: Number.MAX_SAFE_INTEGER, duration: 1 }

export function createRedisCounters(redis: Redis, prefix: string, options: CounterOptions): Counters {
  const limiter = new RateLimiterRedis({
    ...NO_LIMIT,
    storeClient: redis,
    keyPrefix: `${prefix}:limits`,
    rejectIfRedisNotReady: true,
  })
  // Redis expires its keys.
  return createCounters(limiter, async () => undefined, options)
}

/** On an unlogged table: what it holds is worthless after a crash of the database. */
export function createPostgresCounters(pool: Pool, options: CounterOptions): Counters {
  const limiter = new RateLimiterPostgres({
    ...NO_LIMIT,
    storeClient: pool,
    storeType: 'pool',
    keyPrefix: '',
    tableName: 'rate_limits',
    tableCreated: true,
    clearExpiredByTimeout: false,
  })
  const sweep = async () => {
    // By the clock of the nodes, as the library writes it.
    await pool.query('DELETE FROM rate_limits WHERE expire <= $1', [Date.now()])
  }
  return createCounters(limiter, sweep, options)
}

function createCounters(
  limiter: RateLimiterStoreAbstract,
  sweep: () => Promise<void>,
  { onError, answerMs = ANSWER_MS }: CounterOptions,
): Counters {
  let awayUntil = Number.NEGATIVE_INFINITY
  // Asked for each push: the time is read only where there was a failure.
  const isAway = () => awayUntil > 0 && performance.now() < awayUntil

  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isAway()) throw new Error('the counters are away')
    // Of many askers after an outage one is the probe; it is told like all others when it fails.
    const isProbe = awayUntil > 0
    if (isProbe) awayUntil = performance.now() + PROBE_EVERY_MS
    try {
      const answer = await inTime(answerMs, 'counting', work())
      if (isProbe) awayUntil = Number.NEGATIVE_INFINITY
      return answer
    } catch (thrown) {
      // Of many that fail together, the first one tells.
      if (isProbe || !isAway()) onError(thrown as Error)
      awayUntil = performance.now() + PROBE_EVERY_MS
      throw thrown
    }
  }

  return {
    add: (key, points, windowSeconds) =>
      ask(async () => {
        // `penalty` adds and never refuses.
        const { consumedPoints, msBeforeNext } = await limiter.penalty(key, points, {
          customDuration: windowSeconds,
        })
        return { total: consumedPoints, msLeft: msBeforeNext }
      }),
    read: (key) =>
      ask(async () => {
        const found = await limiter.get(key)
        return found ? { total: found.consumedPoints, msLeft: found.msBeforeNext } : undefined
      }),
    forget: (key) =>
      ask(async () => {
        await limiter.delete(key)
      }),
    isAway,
    sweep,
  }
}
