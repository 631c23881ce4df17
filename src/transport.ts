import pg from 'pg'
import type { Config } from './config/config.ts'
import type { Releaser } from './lib/releaser.ts'
import { postgresBackend, type QueueBackend, redisBackend } from './queue/backend.ts'
import { openRedis } from './queue/redis-connections.ts'
import { createPostgresListener } from './signals/postgres-listener.ts'
import { createPostgresSignals } from './signals/postgres-signals.ts'
import { createRedisSignals } from './signals/redis-signals.ts'
import type { Signals } from './signals/signals.ts'

/** How jobs and signals travel. `REDIS_URL` present or not selects the column; nothing else in the program differs. */
export interface Transport {
  signals: Signals
  queueBackend: QueueBackend
}
type Urls = { databaseUrl: string; redisUrl?: string }
type OnError = (part: string) => (error: Error) => void

export const openTransport = (
  config: Config,
  urls: Urls,
  releaser: Releaser,
  onError: OnError,
): Promise<Transport> =>
  ({ redis: overRedis, postgres: overPostgres })[config.queue.backend](config, urls, releaser, onError)

/** A store that takes longer is as good as away. */
const STORE_MS = 2_000

async function overRedis(
  config: Config,
  { redisUrl }: Urls,
  releaser: Releaser,
  onError: OnError,
): Promise<Transport> {
  if (redisUrl === undefined) throw new Error('the redis backend needs a URL')
  const { prefix } = config.queue
  const redis = releaser.add(await openRedis(redisUrl, onError('redis')), (open) => open.close())
  const signals = createRedisSignals(redis.producer, redis.subscriber, prefix, onError('signals'))
  return {
    signals: { ...signals, ping: redis.ping },
    queueBackend: redisBackend(redis.producer, redis.worker, prefix),
  }
}

async function overPostgres(
  config: Config,
  { databaseUrl }: Urls,
  releaser: Releaser,
  onError: OnError,
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
  return { signals, queueBackend: postgresBackend(databaseUrl, config.queue.prefix) }
}
