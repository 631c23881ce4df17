import { Redis, type RedisOptions } from 'ioredis'
import { corkWrites } from '../lib/cork-writes.ts'
import { toError } from '../lib/error.ts'
import { StartError } from '../lib/start-error.ts'

/**
 * No auto-pipelining: ioredis keeps one such pipeline in flight per connection and lets later commands wait for its answer, and
 * each of them copies every script of BullMQ. Writes are gathered below it instead, see `corkWrites`.
 */
const shared = { keepAlive: 10_000 } satisfies RedisOptions

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
  /** Rejects when Redis does not answer, or would drop jobs. */
  ping(): Promise<void>
  close(): void
}

/**
 * Opens the three connections of a process. Redis may come later: until then `onError` hears why it cannot be used, and calls go
 * on without it. Rejects with StartError when it is there and refuses us, or would drop jobs.
 */
export async function openRedis(url: string, onError: (error: Error) => void): Promise<RedisConnections> {
  const producer = new Redis(url, impatient)
  const worker = new Redis(url, patient)
  const subscriber = new Redis(url, patient)
  const all = [producer, worker, subscriber]
  for (const connection of all) connection.on('connect', () => corkWrites(connection.stream))
  // What is wrong at the start is told once, below; the listener must be there all the same, or the process ends.
  let isOpen = false
  for (const connection of all) connection.on('error', (error) => isOpen && onError(error))
  const close = () => {
    for (const connection of all) connection.disconnect()
  }
  const policy = createPolicyCheck(producer)
  try {
    await Promise.all(all.map(firstWord))
    await policy()
  } catch (thrown) {
    const refusal = toStartError(toError(thrown))
    if (refusal) {
      close()
      throw refusal
    }
    onError(new Error('Redis at REDIS_URL cannot be reached; it is tried again and again', { cause: thrown }))
  }
  isOpen = true
  producer.on('ready', () => void policy().catch((error: unknown) => onError(toError(error))))
  const ping = async () => {
    await policy()
    await producer.ping()
  }
  return { producer, worker, subscriber, ping, close }
}

/** Resolves when the connection is ready; rejects with the first error on the way, and it goes on trying. */
async function firstWord(connection: Redis): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  connection.once('ready', resolve).once('error', reject)
  try {
    await promise
  } finally {
    connection.off('ready', resolve).off('error', reject)
  }
}

/** What another try does not mend. */
function toStartError(error: Error): StartError | undefined {
  if (error instanceof StartError) return error
  const isRefused = /^(?:WRONGPASS|NOAUTH|NOPERM)/.test(error.message)
  return isRefused
    ? new StartError('Redis at REDIS_URL does not let us in; are user and password in the URL right?', {
        cause: error,
      })
    : undefined
}

/** Asks each server that the connection reaches, once. */
function createPolicyCheck(redis: Redis): () => Promise<void> {
  let isGood = false
  redis.on('close', () => {
    isGood = false
  })
  return async () => {
    if (!isGood) await refuseEviction(redis)
    isGood = true
  }
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
