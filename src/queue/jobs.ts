import { z } from 'zod'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/units.ts'
import type { Lane, Provider } from '../push/push-kinds.ts'

/** What a job carries, where it waits, how often it is tried and how long it is kept: all of it, in one place. */
interface JobSpec<Payload> {
  queue: QueueName
  /** Checked before the processor sees it: a job of another version, or one that nobody of ours wrote, ends as failed. */
  payload: z.ZodType<Payload>
  attempts: number
  /** Milliseconds before the second, third, ... try; a provider's Retry-After may stretch it, the deadline cuts it. */
  pauses: readonly number[]
  /** The part of a pause that is left to chance (0 to 1), so that what failed together does not come back together. */
  jitter?: number
  /** Added at this pace, once over all nodes. */
  everyMs?: number
  /** Kept for the board and against a second add of the same id (seconds). By age only: counting is slow on PostgreSQL. */
  keepCompletedSeconds: number
  keepFailedSeconds: number
}
const job = <Payload>(spec: JobSpec<Payload>) => spec

/** A call push, encrypted whole: job data can be read in Redis and on the board. */
const CallJob = z.object({
  /** Shape of this payload; a worker refuses one that it does not know. */
  v: z.literal(1),
  /** The sealed Push. */
  sealed: z.string().min(1),
  /** In clear for whoever looks at the board. */
  expiresAt: z.number(),
  /** Channel of whoever waits for the outcome. */
  replyTo: z.string().min(1),
})
export type CallJob = z.output<typeof CallJob>

/** A reminder of a row in pending_pushes; what is to be sent is read there. */
const MessageJob = z.object({ v: z.literal(1), pushId: z.uuid() })
export type MessageJob = z.output<typeof MessageJob>

/**
 * Tries after 0, 1, 3, 7, 15, 31, 63 and 127 s, each pause shortened by up to half. A push that is open after that gets another
 * job of eight tries from the sweep, until it expires.
 */
const messageTries = {
  payload: MessageJob,
  attempts: 8,
  pauses: [1, 2, 4, 8, 16, 32, 64].map((seconds) => seconds * SECOND),
  jitter: 0.5,
  keepCompletedSeconds: 60,
  keepFailedSeconds: (7 * DAY) / SECOND,
}

/** What the next run repairs when this one cannot. */
const chore = {
  queue: 'housekeeping',
  payload: z.object({}),
  attempts: 1,
  pauses: [],
  keepCompletedSeconds: 60,
  keepFailedSeconds: DAY / SECOND,
} as const

export const jobs = {
  // A phone rings for about 30 s and the PBX holds for 5: tries at 0, 0.25, 1 and 3 s; `expiresAt` ends it sooner.
  'deliver-call': job<CallJob>({
    queue: 'calls',
    payload: CallJob,
    attempts: 4,
    pauses: [250, 750, 2_000],
    keepCompletedSeconds: 60,
    keepFailedSeconds: DAY / SECOND,
  }),
  'deliver-apns-message': job<MessageJob>({ queue: 'messages-apns', ...messageTries }),
  'deliver-fcm-message': job<MessageJob>({ queue: 'messages-fcm', ...messageTries }),
  'close-stale-pushes': job({ ...chore, everyMs: 5 * SECOND }),
  'maintain-push-logs': job({ ...chore, everyMs: HOUR }),
  'cull-installations': job({ ...chore, everyMs: HOUR }),
  'sweep-stored-files': job({ ...chore, everyMs: HOUR }),
  'prune-voicemail': job({ ...chore, everyMs: DAY }),
  // A password waits for a phone in a provisioning link, and no longer than that is good.
  'prune-app-logins': job({ ...chore, everyMs: MINUTE }),
  'prune-tokens': job({ ...chore, everyMs: DAY }),
  'prune-chat': job({ ...chore, everyMs: HOUR }),
}

export type JobName = keyof typeof jobs
export type Payload<Name extends JobName> = z.output<(typeof jobs)[Name]['payload']>

/** The job that sends messages by way of a provider. */
export const MESSAGE_JOB = {
  apns: 'deliver-apns-message',
  fcm: 'deliver-fcm-message',
} as const satisfies Record<Provider, JobName>

/** A queue takes an id once, so each job that is made for a push has its own. */
export const messageJobId = ({ id, generation }: { id: string; generation: number }): string =>
  `${id}_${generation}`

interface QueueSpec {
  lane: Lane
  /** Jobs a process works on at the same time; `configured` is WORKER_CONCURRENCY. */
  concurrency: number | 'configured'
  /** A worker that stopped without a word loses its job after lock + 2 checks, and `apartMs`: 8 s for calls. */
  lockMs: number
  stalledCheckMs: number
  /** How often a job may be taken from a dead worker before it is parked as failed. */
  maxStalledCount: number
  /** What a dead worker had in hand comes back all at once; with this it is taken up at random moments of so many ms. */
  apartMs: number
}

/** Enough to keep the connection to a provider busy, few enough that a provider's outage leaves little in hand. */
const messages = {
  lane: 'messages',
  concurrency: 64,
  // A try may take 10 s, and its two commits a moment more.
  lockMs: 15 * SECOND,
  stalledCheckMs: 10 * SECOND,
  maxStalledCount: 3,
  // One push of which workers die would take the same others with it each time, until they are all parked.
  apartMs: 5 * SECOND,
} as const

/**
 * Each lane has queues and workers of its own, so that a storm of messages never delays a call; and each provider of messages, so
 * that the outage of one does not hold up the other.
 */
export const queues = {
  calls: {
    lane: 'calls',
    concurrency: 'configured',
    lockMs: 4 * SECOND,
    stalledCheckMs: 1.75 * SECOND,
    maxStalledCount: 2,
    // As for messages, but a phone rings only for so long.
    apartMs: SECOND / 2,
  },
  'messages-apns': messages,
  'messages-fcm': messages,
  housekeeping: { ...messages, concurrency: 1, lockMs: MINUTE },
} as const satisfies Record<string, QueueSpec>
export type QueueName = 'calls' | 'messages-apns' | 'messages-fcm' | 'housekeeping'
export const QUEUE_NAMES = Object.keys(queues) as QueueName[]
