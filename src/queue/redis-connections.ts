import { Redis, type RedisOptions } from 'ioredis'
import { corkWrites } from '../lib/cork-writes.ts'
import { StartError } from '../lib/start-error.ts'

/**
 * No auto-pipelining: ioredis keeps one such pipeline in flight per connection and lets later commands wait for its answer, and
 * each of them copies every script of BullMQ. Writes are gathered below it instead, see `corkWrites`.
 */
const shared = { keepAlive: 10_000, lazyConnect: true } satisfies RedisOptions

/** For whoever has a caller waiting: fails at once while Redis is away, and after half a second when it does not answer. */
const impatient = {
  ...shared,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  connectTimeout: 1_000,
  commandTimeout: 500,
  retryStrategy: (times: number) => Math.min(50 * 2 ** times, 1_000),
} satisfies RedisOptions
/** For workers and subscribers: waits for Redis to come back. */
const patient = {
  ...shared,
  maxRetriesPerRequest: null,
  retryStrategy: (times: number) => Math.min(50 * 2 ** times, 1_000),
} satisfies RedisOptions

export interface RedisConnections {
  producer: Redis
  worker: Redis
  subscriber: Redis
  close(): void
}

/** Opens the three connections of a process. Rejects with StartError when Redis cannot be reached or would drop jobs. */
export async function openRedis(url: string, onError: (error: Error) => void): Promise<RedisConnections> {
  const producer = new Redis(url, impatient)
  const worker = new Redis(url, patient)
  const subscriber = new Redis(url, patient)
  const all = [producer, worker, subscriber]
  for (const connection of all) connection.on('connect', () => corkWrites(connection.stream))
  // A failure to open is told once, by the rejection; the listener must be there all the same, or the process ends.
  let isOpen = false
  for (const connection of all) connection.on('error', (error) => isOpen && onError(error))
  const close = () => {
    for (const connection of all) connection.disconnect()
  }
  try {
    await Promise.all(all.map((connection) => connection.connect()))
    await refuseEviction(producer)
    isOpen = true
  } catch (error) {
    close()
    if (error instanceof StartError) throw error
    throw new StartError('Redis at REDIS_URL cannot be reached; is it running, and is the URL right?', {
      cause: error,
    })
  }
  return { producer, worker, subscriber, close }
}

/** An evicting Redis silently drops jobs and locks when it is full (BullMQ, "Going to production"). */
async function refuseEviction(redis: Redis): Promise<void> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1]
  if (policy !== undefined && policy !== 'noeviction') {
    throw new StartError(
      `Redis has maxmemory-policy ${policy} and may drop calls when its memory is full; set it to noeviction (redis-cli CONFIG SET maxmemory-policy noeviction)`,
    )
  }
}
