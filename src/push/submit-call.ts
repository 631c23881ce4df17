import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Bypass } from './bypass.ts'
import type { CallLanePush } from './push.ts'
import type { PushLog } from './push-log.ts'
import { sealPush } from './sealed-push.ts'

/** The row is history and may come late; the job is the call and may not. */
const ROW_MS = 150
const ENQUEUE_MS = 300
/** A queue that failed this often in a row is away: nobody waits for it until a push per second has found it back. */
const FAILURES = 3
const PROBE_EVERY_MS = SECOND

/** Puts a call push where a worker finds it. The queue is handed over by the context: `push` knows no queue. */
export type EnqueueCall = (
  job: { sealed: string; expiresAt: number; replyTo: string },
  jobId: string,
) => Promise<void>

export interface SubmitCallDeps {
  pushLog: PushLog
  enqueueCall: EnqueueCall
  bypass: Bypass
  keyring: Keyring
  events: Events
}

/**
 * Accepts a push of the calls lane: row and job side by side, because neither may delay the other. With the queue away this
 * process sends it itself. Resolves when it is on its way; throws `queue_unavailable` when neither way is open, and then nothing
 * is sent.
 *
 * @param replyTo channel on which the outcome is told
 * @param row `now`: the answer says that the push can be looked up, so the row must be there. `late`: the caller waits for the
 *   outcome, and the row is opened only if that takes long; see docs/decisions/0005
 */
export function createSubmitCall({ pushLog, enqueueCall, bypass, keyring, events }: SubmitCallDeps) {
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: PROBE_EVERY_MS,
    breaker: new ConsecutiveBreaker(FAILURES),
  })
  const enqueue = (push: CallLanePush, replyTo: string): Promise<void> =>
    breaker.execute(() => {
      const job = { sealed: sealPush(keyring, push), expiresAt: push.expiresAt, replyTo }
      return within(ENQUEUE_MS, 'adding the job', enqueueCall(job, push.id))
    })

  async function submitCall(push: CallLanePush, replyTo: string, row: 'now' | 'late'): Promise<void> {
    if (row === 'late') pushLog.openLate(push)
    const [written, queued] = await Promise.allSettled([
      row === 'now' ? within(ROW_MS, 'writing the push log', pushLog.opened(push)) : undefined,
      enqueue(push, replyTo),
    ])
    // The worker writes the row whole when this one did not make it.
    if (written.status === 'rejected') events.backgroundError('push-log', toError(written.reason))
    if (queued.status === 'fulfilled') return
    if (!bypass.take(push, replyTo, toError(queued.reason))) {
      throw new Problem('queue_unavailable', { retryAfter: 1, cause: queued.reason })
    }
  }

  /**
   * For a push that was accepted before and may never have become a job. Never sent from here: with the queue away, another
   * process may just be doing so.
   */
  async function again(push: CallLanePush, replyTo: string): Promise<void> {
    pushLog.openLate(push)
    await enqueue(push, replyTo).catch((error: unknown) => events.backgroundError('queue', toError(error)))
  }
  return Object.assign(submitCall, { again })
}
export type SubmitCall = ReturnType<typeof createSubmitCall>
