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
 * @param row `now`: the answer says that the push can be looked up, so the row must be there. `late`: the caller waits for the
 *   outcome, and the row is opened only if that takes long; see docs/decisions/0005
 */
export function createSubmitCall(deps: SubmitDeps) {
  const { pushLog, enqueueCall, keyring, events } = deps
  return async function submitCall(push: Push, replyTo: string, row: 'now' | 'late'): Promise<void> {
    const job = {
      sealed: keyring.seal(JSON.stringify(push), pushContext(push.id)),
      expiresAt: push.expiresAt,
      replyTo,
    }
    if (row === 'late') pushLog.openLate(push)
    const [written, queued] = await Promise.allSettled([
      row === 'now' ? within(ROW_MS, 'writing the push log', pushLog.opened(push)) : undefined,
      within(ENQUEUE_MS, 'adding the job', enqueueCall(job, push.id)),
    ])
    // The worker writes the row whole when this one did not make it.
    if (written.status === 'rejected') events.backgroundError('push-log', toError(written.reason))
    if (queued.status === 'rejected') {
      giveUp(deps, push, replyTo)
      throw new Problem('queue_unavailable', { retryAfter: 1, cause: queued.reason })
    }
  }
}
export type SubmitCall = ReturnType<typeof createSubmitCall>

function giveUp(
  { pushLog, outcomes, signals, events, clock }: SubmitDeps,
  push: Push,
  replyTo: string,
): void {
  const result = {
    id: push.id,
    state: 'failed',
    attempts: 0,
    ...because('queue_unavailable'),
    closedAt: clock.now(),
  } as const
  events.pushClosed(push, result)
  pushLog.answered(push.id)
  pushLog.closed(push, result).catch((error: unknown) => events.backgroundError('push-log', toError(error)))
  // An add that timed out may still arrive. The PBX has moved on by then, so take the only right to send it.
  const taken = signals.claim(claimKey(push.id, 0), replyTo, CLAIM_MS)
  Promise.all([taken, outcomes.report(result, replyTo)]).catch((error: unknown) =>
    events.backgroundError('outcomes', toError(error)),
  )
}
