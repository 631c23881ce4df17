import { type Job, UnrecoverableError, Worker } from 'bullmq'
import { toError } from '../lib/error.ts'
import type { Lane } from '../push/push-kinds.ts'
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

/** Thrown by a processor: try again. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater'
  /** Not before so many milliseconds, when the other side asked for it. */
  readonly delayMs: number | undefined
  /** Nothing of the queue is worth a try for so many milliseconds: this process takes no job from it. */
  readonly holdQueueMs: number | undefined
  constructor(reason: string, wait: { delayMs?: number | undefined; holdQueueMs?: number | undefined } = {}) {
    super(reason)
    this.delayMs = wait.delayMs
    this.holdQueueMs = wait.holdQueueMs
  }
}

export interface Workers {
  /** Takes no new jobs and waits for those in hand; gives up after `ms` and leaves them to other workers. */
  close(ms: number): Promise<void>
}

interface WorkerOptions {
  lanes: readonly Lane[]
  concurrency: number
  onError: (error: Error) => void
}

/** The one file that knows BullMQ's Worker; when to try again is decided here, what to do is decided by the processor. */
export function runWorkers(processors: Processors, backend: QueueBackend, options: WorkerOptions): Workers {
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
  { concurrency, onError }: WorkerOptions,
): Worker {
  const { lockMs, stalledCheckMs, maxStalledCount, concurrency: own } = queues[name]
  const worker: Worker = new Worker(
    name,
    (job: Job) => runJob(processors, job, (ms) => hold(worker, ms, onError)),
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
    abandon(processors, job, error.message).catch((e: unknown) => onError(toError(e)))
  })
  return worker
}

async function runJob(processors: Processors, job: Job, holdQueue: (ms: number) => void): Promise<void> {
  const number = job.attemptsMade
  const last = number + 1 >= (job.opts.attempts ?? 1)
  try {
    const { processor, payload } = open(processors, job)
    keepApart(job)
    await processor.run(payload, { number, last, pauseMs: plannedPause(job.name, number + 1) }, job.id ?? '')
  } catch (thrown) {
    if (!(thrown instanceof RetryLater)) throw new UnrecoverableError(toError(thrown).message)
    if (thrown.holdQueueMs !== undefined) holdQueue(thrown.holdQueueMs)
    throw thrown
  }
}

/** Puts a job off that comes back from a dead worker, once each time: a try that was put off counts, one that died does not. */
function keepApart({ queueName, stalledCounter, attemptsMade }: Job): void {
  const { apartMs } = queues[queueName as QueueName]
  if (stalledCounter <= attemptsMade) return
  throw new RetryLater('its worker died', { delayMs: Math.round(apartMs * Math.random()) })
}

async function abandon(processors: Processors, job: Job, reason: string): Promise<void> {
  const { processor, payload } = open(processors, job)
  await processor.abandoned?.(payload, reason, job.id ?? '')
}

/** Throws for a job that no processor of this version understands; its reason is then seen on the board. */
function open(processors: Processors, job: Job): { processor: Processor<JobName>; payload: never } {
  const processor = (processors as Record<string, Processor<JobName>>)[job.name]
  if (!processor) throw new Error(`no processor for a job named ${job.name}`)
  const payload = jobs[job.name as JobName].payload.safeParse(job.data)
  if (payload.success) return { processor, payload: payload.data as never }
  const [issue] = payload.error.issues
  throw new Error(
    `the job's data has another shape than this worker knows: ${issue?.path.join('.') || 'all of it'}`,
  )
}

const held = new WeakSet<Worker>()

/** Local to this process, so that it ends with the process and needs no store. */
function hold(worker: Worker, ms: number, onError: (error: Error) => void): void {
  if (held.has(worker)) return
  held.add(worker)
  const resume = () => {
    held.delete(worker)
    if (!worker.closing) Promise.resolve(worker.resume()).catch((error: unknown) => onError(toError(error)))
  }
  worker.pause(true).catch((error: unknown) => onError(toError(error)))
  setTimeout(resume, ms).unref()
}

function plannedPause(name: string, attemptsMade: number): number {
  const { pauses, jitter = 0 } = jobs[name as JobName] ?? { pauses: [] }
  const pause = pauses[attemptsMade - 1] ?? pauses.at(-1) ?? 0
  return Math.round(pause * (1 - jitter * Math.random()))
}

function pauseBefore(attemptsMade: number, _type?: string, error?: Error, job?: { name: string }): number {
  const asked = error instanceof RetryLater ? error.delayMs : undefined
  return asked ?? plannedPause(job?.name ?? '', attemptsMade)
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
