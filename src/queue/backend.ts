import { type BackendFactory, createPostgresBackend, createRedisBackend, type IQueueBackend } from 'bullmq'
import type { Redis } from 'ioredis'
import { QUEUE_SCHEMA } from './migrate-queue.ts'

/** Where jobs wait. One option chooses; nothing else in the program differs. */
export interface QueueBackend {
  factory: BackendFactory<IQueueBackend, unknown>
  /** For adding jobs: answers fast or fails. */
  producer: unknown
  /** For working on jobs: keeps trying for as long as it takes. */
  worker: unknown
  /** False: whatever is asked of it now would wait for it to come, and happen when nobody wants it any more. */
  isThere(): boolean
  prefix: string
}

export function redisBackend(producer: Redis, worker: Redis, prefix: string): QueueBackend {
  const isThere = () => producer.status === 'ready'
  return {
    factory: createRedisBackend as unknown as QueueBackend['factory'],
    producer,
    worker,
    isThere,
    prefix,
  }
}

/**
 * BullMQ's PostgreSQL backend makes a pool per queue and worker: three connections each keep the embedded database far below
 * its 100.
 */
export function postgresBackend(databaseUrl: string, prefix: string): QueueBackend {
  const connection = { connectionString: databaseUrl, schema: QUEUE_SCHEMA, max: 3, keepAlive: true }
  return {
    factory: createPostgresBackend as unknown as QueueBackend['factory'],
    producer: { ...connection, connectionTimeoutMillis: 2_000 },
    worker: connection,
    isThere: () => true,
    prefix,
  }
}
