import { type Job, UnrecoverableError, Worker } from 'bullmq'
import { toError } from '../lib/error.ts'
import type { Lane } from '../push/push.ts'
import type { QueueBackend } from './backend.ts'
import { type JobName, jobs, type Payload, QUEUE_NAMES, type QueueName, queues } from './jobs.ts'

/** Which run of a job this is. A job taken from a dead worker keeps its number: only finished tries count. */
export interface Try {
  /** 0 for the first. */
  number: number
  last: boolean
  /** Milliseconds until the next one, if there is one. */
  pauseMs: number
}

export interface Processor<Name extends JobName> {
  /** Throws RetryLater to be called again, anything else to fail for good. */
  run(payload: Payload<Name>, tryNumber: Try, jobId: string): Promise<void>
  /** The queue gave the job up without our doing, for example because its workers kept dying. */
  abandoned?(payload: Payload<Name>, reason: string, jobId: string): Promise<void>
}
/** A job without a processor does not compile. */
export type Processors = { [Name in JobName]: Processor<Name> }

/** Thrown by a processor: try again, and not before `delayMs` when the other side asked for it. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater'
  readonly delayMs: number | undefined
  constructor(reason: string, delayMs?: number) {
    super(reason)
    this.delayMs = delayMs
  }
}

export interface Workers {
  /** Takes no new jobs and waits for those in hand; gives up after `ms` and leaves them to other workers. */
  close(ms: number): Promise<void>
}

/** The one file that knows BullMQ's Worker; when to try again is decided here, what to do is decided by the processor. */
export function runWorkers(
  processors: Processors,
  backend: QueueBackend,
  options: { lanes: readonly Lane[]; concurrency: number; onError: (error: Error) => void },
): Workers {
  const wanted = QUEUE_NAMES.filter((name) => options.lanes.includes(queues[name].lane))
  const workers = wanted.map((name) => startWorker(name, processors, backend, options))
  return {
    async close(ms) {
      await Promise.all(workers.map((worker) => closeWithin(worker, ms)))
    },
  }
}

function startWorker(
  name: QueueName,
  processors: Processors,
  backend: QueueBackend,
  { concurrency, onError }: { concurrency: number; onError: (error: Error) => void },
): Worker {
  const { lockMs, stalledCheckMs, maxStalledCount, concurrency: own } = queues[name]
  const worker = new Worker(
    name,
    (job: Job) => runJob(processors, job),
    {
      connection: backend.worker,
      prefix: backend.prefix,
      concurrency: own === 'configured' ? concurrency : own,
      lockDuration: lockMs,
      stalledInterval: stalledCheckMs,
      maxStalledCount,
      // A refused connection must not cost a call its ring time (BullMQ waits 15 s otherwise).
      runRetryDelay: 300,
      settings: { backoffStrategy: pauseBefore },
    } as never,
    backend.factory as never,
  ) as Worker
  worker.on('error', (error) => onError(toError(error)))
  worker.on('failed', (job, error) => {
    // Our own failures have been dealt with in the processor; this is the queue's verdict on a job nobody finished.
    if (!job || !/stalled more than allowable limit/.test(error.message)) return
    const processor = processorOf(processors, job)
    processor
      ?.abandoned?.(job.data as never, error.message, job.id ?? '')
      ?.catch((e: unknown) => onError(toError(e)))
  })
  return worker
}

async function runJob(processors: Processors, job: Job): Promise<void> {
  const processor = processorOf(processors, job)
  if (!processor) throw new UnrecoverableError(`no processor for a job named ${job.name}`)
  const number = job.attemptsMade
  const last = number + 1 >= (job.opts.attempts ?? 1)
  try {
    await processor.run(
      job.data as never,
      { number, last, pauseMs: plannedPause(job.name, number + 1) },
      job.id ?? '',
    )
  } catch (thrown) {
    if (thrown instanceof RetryLater) throw thrown
    throw new UnrecoverableError(toError(thrown).message)
  }
}

const processorOf = (processors: Processors, job: Job): Processor<JobName> | undefined =>
  (processors as Record<string, Processor<JobName>>)[job.name]

function plannedPause(name: string, attemptsMade: number): number {
  const pauses = jobs[name as JobName]?.pauses ?? []
  return pauses[attemptsMade - 1] ?? pauses.at(-1) ?? 0
}

function pauseBefore(attemptsMade: number, _type?: string, error?: Error, job?: { name: string }): number {
  const asked = error instanceof RetryLater ? error.delayMs : undefined
  return Math.max(plannedPause(job?.name ?? '', attemptsMade), asked ?? 0)
}

/**
 * Jobs still in hand after `ms` stay locked until their lock runs out; then another worker takes them. With the store away
 * BullMQ's close does not end at all, forced or not (its issues 2430 and 4656): the program's last resort then ends it.
 */
async function closeWithin(worker: Worker, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([worker.close(), late])
  clearTimeout(timer)
}
