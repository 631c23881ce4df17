import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import type { Events } from '../observability/events.ts'
import type { Signals } from '../signals/signals.ts'
import { CLAIM_MS, claimKey } from './deliver.ts'
import type { Outcomes } from './outcomes.ts'
import type { Push } from './push.ts'
import type { PushLog } from './push-log.ts'
import { because } from './push-result.ts'

/** The row is history and may come late; the job is the call and may not. */
const ROW_MS = 150
const ENQUEUE_MS = 300

/** Puts a call push where a worker finds it. The queue is handed over by the context: `push` knows no queue. */
export type EnqueueCall = (
  job: { sealed: string; expiresAt: number; replyTo: string },
  jobId: string,
) => Promise<void>

export interface SubmitDeps {
  pushLog: PushLog
  outcomes: Outcomes
  signals: Signals
  enqueueCall: EnqueueCall
  keyring: Keyring
  events: Events
  clock: Clock
}

/** A sealed push opens only as the push it was made for. */
export const pushContext = (pushId: string): string => `push:${pushId}`

/**
 * Accepts a call push: row and job side by side, because neither may delay the other. Resolves when the queue has the job;
 * throws `queue_unavailable` when it does not take it in time, and then nothing is sent.
 *
 * @param replyTo channel on which the outcome is told
 */
export function createSubmitCall({
  pushLog,
  outcomes,
  signals,
  enqueueCall,
  keyring,
  events,
  clock,
}: SubmitDeps) {
  return async function submitCall(push: Push, replyTo: string): Promise<void> {
    const job = {
      sealed: keyring.seal(JSON.stringify(push), pushContext(push.id)),
      expiresAt: push.expiresAt,
      replyTo,
    }
    const [row, queued] = await Promise.allSettled([
      within(ROW_MS, 'writing the push log', pushLog.opened(push)),
      within(ENQUEUE_MS, 'adding the job', enqueueCall(job, push.id)),
    ])
    // The worker writes the row whole when this one did not make it.
    if (row.status === 'rejected') events.backgroundError('push-log', toError(row.reason))
    if (queued.status === 'rejected') {
      const result = {
        id: push.id,
        state: 'failed',
        attempts: 0,
        ...because('queue_unavailable'),
        closedAt: clock.now(),
      } as const
      events.pushClosed(push, result)
      pushLog
        .closed(push, result)
        .catch((error: unknown) => events.backgroundError('push-log', toError(error)))
      // An add that timed out may still arrive. The PBX has moved on by then, so take the only right to send it.
      const taken = signals.claim(claimKey(push.id, 0), replyTo, CLAIM_MS)
      Promise.all([taken, outcomes.report(result, replyTo)]).catch((error: unknown) =>
        events.backgroundError('outcomes', toError(error)),
      )
      throw new Problem('queue_unavailable', { retryAfter: 1, cause: queued.reason })
    }
  }
}
export type SubmitCall = ReturnType<typeof createSubmitCall>
