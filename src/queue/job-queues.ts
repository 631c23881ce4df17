import { type JobsOptions, Queue } from 'bullmq'
import { toError } from '../lib/error.ts'
import type { QueueBackend } from './backend.ts'
import { type JobName, jobs, type Payload, QUEUE_NAMES, type QueueName } from './jobs.ts'

export type Enqueue = <Name extends JobName>(
  name: Name,
  payload: Payload<Name>,
  jobId: string,
) => Promise<void>

/** The producing side of every queue. */
export interface JobQueues {
  /** Adding an id that is still kept does nothing. Rejects when the store does not take the job. */
  enqueue: Enqueue
  /** Many jobs of one name in one round trip. */
  enqueueAll<Name extends JobName>(
    name: Name,
    added: readonly { payload: Payload<Name>; jobId: string }[],
  ): Promise<void>
  /** Whether the job is still to be done, is over (its id is taken all the same), or was never there. */
  fateOf(name: JobName, jobId: string): Promise<'due' | 'over' | 'unknown'>
  /** The jobs that come at a fixed pace; safe to repeat, and to be repeated: a wiped queue has forgotten them. */
  schedule(): Promise<void>
  /** Jobs per state, and the age of the oldest waiting one in milliseconds. */
  depth(queue: QueueName): Promise<{ counts: Record<string, number>; oldestMs: number }>
  /** Rejects when the store of the queue does not answer. */
  ping(): Promise<void>
  /** For the board only. */
  raw: ReadonlyMap<QueueName, Queue>
  close(): Promise<void>
}

export function openJobQueues(backend: QueueBackend, onError: (error: Error) => void): JobQueues {
  const raw = new Map(QUEUE_NAMES.map((name) => [name, openQueue(name, backend, onError)]))
  const queueOf = (name: QueueName): Queue => {
    if (!backend.isThere()) throw new Error('the store of the queue is away')
    const queue = raw.get(name)
    if (!queue) throw new Error(`no queue ${name}`)
    return queue
  }

  return {
    raw,
    async enqueue(name, payload, jobId) {
      await queueOf(jobs[name].queue).add(name, payload, { ...optionsOf[name], jobId })
    },
    async enqueueAll(name, added) {
      const opts = optionsOf[name]
      await queueOf(jobs[name].queue).addBulk(
        added.map(({ payload, jobId }) => ({ name, data: payload, opts: { ...opts, jobId } })),
      )
    },
    async fateOf(name, jobId) {
      // Not by its state: to find it, BullMQ reads the list of waiting jobs from end to end.
      const job = await queueOf(jobs[name].queue).getJob(jobId)
      if (!job) return 'unknown'
      return job.finishedOn === undefined ? 'due' : 'over'
    },
    async schedule() {
      // One after the other: on PostgreSQL two nodes that add several at once can lock each other out.
      for (const [name, { everyMs, queue, keepCompletedSeconds, keepFailedSeconds }] of Object.entries(
        jobs,
      )) {
        if (everyMs === undefined) continue
        const opts = {
          removeOnComplete: keptFor(keepCompletedSeconds),
          removeOnFail: keptFor(keepFailedSeconds),
        }
        await queueOf(queue).upsertJobScheduler(name, { every: everyMs }, { name, data: {}, opts })
      }
    },
    async depth(queue) {
      const [counts, [oldest]] = await Promise.all([
        queueOf(queue).getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed'),
        queueOf(queue).getWaiting(0, 0),
      ])
      return { counts, oldestMs: oldest ? Math.max(0, Date.now() - oldest.timestamp) : 0 }
    },
    async ping() {
      await queueOf('calls').getJobCounts('waiting')
    },
    async close() {
      await Promise.all([...raw.values()].map((queue) => queue.close()))
    },
  }
}

function openQueue(name: QueueName, backend: QueueBackend, onError: (error: Error) => void): Queue {
  const options = { connection: backend.producer, prefix: backend.prefix }
  const queue = new Queue(name, options as never, backend.factory as never)
  queue.on('error', (error) => onError(toError(error)))
  return queue as Queue
}

/**
 * Each job that ends removes so many that are too old, in the script that ends it. As many as there are (BullMQ takes up to 1,000) would
 * hold up all calls for tenths of a second when a queue that was busy is used again; one would never catch up.
 */
const REMOVED_WITH_EACH = 5

const keptFor = (seconds: number) => ({ age: seconds, limit: REMOVED_WITH_EACH })

const optionsOf = Object.fromEntries(
  Object.entries(jobs).map(([name, spec]) => [
    name,
    {
      attempts: spec.attempts,
      backoff: { type: 'custom' },
      removeOnComplete: keptFor(spec.keepCompletedSeconds),
      removeOnFail: keptFor(spec.keepFailedSeconds),
    } satisfies JobsOptions,
  ]),
) as Record<JobName, JobsOptions>
