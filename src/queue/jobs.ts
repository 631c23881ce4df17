import { SECOND } from '../lib/units.ts'
import type { Lane } from '../push/push.ts'

/** What a job carries, where it waits, how often it is tried and how long it is kept: all of it, in one place. */
interface JobSpec<Payload> {
  queue: QueueName
  attempts: number
  /** Milliseconds before the second, third, ... try; a provider's Retry-After may stretch it, the deadline cuts it. */
  pauses: readonly number[]
  /** Kept for the board and against a second add of the same id (seconds). By age only: counting is slow on PostgreSQL. */
  keepCompletedSeconds: number
  keepFailedSeconds: number
  payload?: Payload // type only; never set
}
const job = <Payload>(spec: JobSpec<Payload>) => spec

/** A call push, encrypted whole: job data can be read in Redis and on the board. */
export interface CallJob {
  /** Shape of this payload; a worker refuses one that it does not know. */
  v: 1
  /** The sealed Push. */
  sealed: string
  /** In clear, so that a late job is dropped without being opened. */
  expiresAt: number
  /** Channel of whoever waits for the outcome. */
  replyTo: string
}

export const jobs = {
  // A phone rings for about 30 s and the PBX holds for 5: tries at 0, 0.25, 1 and 3 s; `expiresAt` ends it sooner.
  'deliver-call': job<CallJob>({
    queue: 'calls',
    attempts: 4,
    pauses: [250, 750, 2_000],
    keepCompletedSeconds: 60,
    keepFailedSeconds: 86_400,
  }),
  // Runs every 5 s on one worker; the next run repairs what this one could not.
  'close-stale-pushes': job<Record<string, never>>({
    queue: 'housekeeping',
    attempts: 1,
    pauses: [],
    keepCompletedSeconds: 60,
    keepFailedSeconds: 86_400,
  }),
}

export type JobName = keyof typeof jobs
export type Payload<Name extends JobName> = NonNullable<(typeof jobs)[Name]['payload']>

/** How often the housekeeping runs. */
export const HOUSEKEEPING_EVERY_MS = 5 * SECOND

interface QueueSpec {
  lane: Lane
  /** Jobs a process works on at the same time; `configured` is WORKER_CONCURRENCY. */
  concurrency: number | 'configured'
  /** A worker that stopped without a word loses its job after lock + 2 checks: 8 s for calls. */
  lockMs: number
  stalledCheckMs: number
  /** How often a job may be taken from a dead worker before it is parked as failed. */
  maxStalledCount: number
}

/** Each lane has queues and workers of its own, so that a storm of messages never delays a call. */
export const queues = {
  calls: {
    lane: 'calls',
    concurrency: 'configured',
    lockMs: 4_000,
    stalledCheckMs: 2_000,
    maxStalledCount: 2,
  },
  housekeeping: {
    lane: 'messages',
    concurrency: 1,
    lockMs: 15_000,
    stalledCheckMs: 10_000,
    maxStalledCount: 3,
  },
} as const satisfies Record<string, QueueSpec>
export type QueueName = 'calls' | 'housekeeping'
export const QUEUE_NAMES = Object.keys(queues) as QueueName[]
