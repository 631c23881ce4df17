import pg from 'pg'
import type { Config } from './config/config.ts'
import type { Releaser } from './lib/releaser.ts'
import { type Counters, createPostgresCounters, createRedisCounters } from './limits/counters.ts'
import { postgresBackend, type QueueBackend, redisBackend } from './queue/backend.ts'
import { openRedis } from './queue/redis-connections.ts'
import { createPostgresListener } from './signals/postgres-listener.ts'
import { createPostgresSignals } from './signals/postgres-signals.ts'
import { createRedisSignals } from './signals/redis-signals.ts'
import type { Signals } from './signals/signals.ts'

/** How jobs, signals and counts travel. `REDIS_URL` present or not selects the column; nothing else in the program differs. */
export interface Transport {
  signals: Signals
  queueBackend: QueueBackend
  counters: Counters
}
type Urls = { databaseUrl: string; redisUrl?: string }
type OnError = (part: string) => (error: Error) => void
/** How long the counters may take before a node counts by itself; the usual time if absent. */
type Patience = { counterAnswerMs?: number | undefined }

export const openTransport = (
  config: Config,
  urls: Urls,
  releaser: Releaser,
  onError: OnError,
  patience: Patience = {},
): Promise<Transport> =>
  ({ redis: overRedis, postgres: overPostgres })[config.queue.backend](
    config,
    urls,
    releaser,
    onError,
    patience,
  )

/** A store that takes longer is as good as away. */
const STORE_MS = 2_000

async function overRedis(
  config: Config,
  { redisUrl }: Urls,
  releaser: Releaser,
  onError: OnError,
  { counterAnswerMs: answerMs }: Patience,
): Promise<Transport> {
  if (redisUrl === undefined) throw new Error('the redis backend needs a URL')
  const { prefix } = config.queue
  const redis = releaser.add(await openRedis(redisUrl, onError('redis')), (open) => open.close())
  const signals = createRedisSignals(redis.producer, redis.subscriber, prefix, onError('signals'))
  return {
    signals: { ...signals, ping: redis.ping },
    queueBackend: redisBackend(redis.producer, redis.worker, prefix),
    counters: createRedisCounters(redis.producer, prefix, { onError: onError('limits'), answerMs }),
  }
}

async function overPostgres(
  config: Config,
  { databaseUrl }: Urls,
  releaser: Releaser,
  onError: OnError,
  { counterAnswerMs: answerMs }: Patience,
): Promise<Transport> {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 6,
    keepAlive: true,
    // Whoever waits for a signal has a poll and a deadline; a server that hangs must not keep the pool for ever.
    query_timeout: STORE_MS,
    connectionTimeoutMillis: STORE_MS,
    application_name: 'wakeline-signals',
  })
  pool.on('error', onError('signals'))
  const listener = createPostgresListener(databaseUrl, 'wakeline_signals', onError('signals'))
  const signals = releaser.add(createPostgresSignals(pool, listener), (open) => open.close())
  return {
    signals,
    queueBackend: postgresBackend(databaseUrl, config.queue.prefix),
    counters: createPostgresCounters(pool, { onError: onError('limits'), answerMs }),
  }
}
