import { randomUUID } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Claims } from './claims.ts'
import { endingOf } from './ending.ts'
import type { Outcomes } from './outcomes.ts'
import type { CallLanePush } from './push.ts'
import type { PushLog } from './push-log.ts'
import { because, type OwnReason, type PushResult } from './push-result.ts'
import type { SendTry } from './send-try.ts'

const ROW_MS = SECOND
/** A try is over after 3 s (the longest time-out of a provider), and its result is known a moment later. */
const ALIVE_MS = 3.5 * SECOND

export interface Attempt {
  /** 0 for the first. */
  number: number
  last: boolean
  /** Milliseconds until the next one, if there is one. */
  pauseMs: number
}

/** What the queue has to do next. */
export type Verdict = { done: true } | { done: false; reason: string; retryAfterMs?: number }

export interface DeliverCallDeps {
  sendTry: SendTry
  claims: Claims
  outcomes: Outcomes
  pushLog: PushLog
  events: Events
  clock: Clock
}

/**
 * One try of one push of the calls lane, from the deadline check to the closed row. Safe to run twice: a try that somebody has
 * begun is never begun again, because a phone that rings twice for one call is worse than a push whose fate is unknown.
 */
export function createDeliverCall(deps: DeliverCallDeps) {
  const { sendTry, claims, outcomes, clock } = deps
  const { finish, closeRow } = createFinish(deps)
  const end = (push: CallLanePush, replyTo: string, attempts: number, reason: OwnReason) =>
    finish(push, replyTo, {
      id: push.id,
      attempts,
      state: reason === 'expired' ? 'expired' : 'failed',
      ...because(reason),
      ...(reason !== 'expired' && { uncertain: true as const }),
    })

  async function deliver(push: CallLanePush, replyTo: string, attempt: Attempt): Promise<Verdict> {
    const startedAt = clock.now()

    // Before the deadline is looked at: a push that a lost worker has sent did not expire unsent, however late it is now.
    const claimant = { holder: randomUUID(), until: push.expiresAt }
    const right = await claims.take(push.id, attempt.number, claimant).catch((error: unknown) => {
      deps.events.backgroundError('claims', toError(error))
      return { is: 'unasked' } as const
    })
    if (right.is === 'unasked') return { done: false, reason: 'the store of claims is away' }
    if (right.is === 'known') return closeRow(push, right.result)
    if (right.is === 'over') return { done: false, reason: 'this try was made before' }
    if (right.is === 'lost') {
      // Whoever began it may be alive: a worker that lost only its lock, or the one that got the job while we gave up on the queue.
      const aliveMs = Math.min(ALIVE_MS, right.since + ALIVE_MS - clock.now())
      const result = aliveMs > 0 ? await outcomes.wait(push.id, aliveMs).result : undefined
      return result ? closeRow(push, result) : end(push, replyTo, attempt.number + 1, 'worker_lost')
    }
    const attempts = right.attempt + 1
    const left = push.expiresAt - clock.now()
    if (left <= 0) return end(push, replyTo, attempts, 'expired')

    const tried = await sendTry(push, attempts, left)
    const { outcome } = tried
    if (outcome.kind === 'retry') {
      const next = clock.now() + Math.max(attempt.pauseMs, outcome.retryAfterMs ?? 0)
      const isWorthIt = !attempt.last && !(outcome.isOfPhone && right.attempt > 0)
      if (isWorthIt && next < push.expiresAt) {
        await claims.release(push.id, right.attempt)
        return { ...outcome, done: false }
      }
    }
    return finish(push, replyTo, { id: push.id, attempts, startedAt, ...endingOf(tried) })
  }

  /** Ends a push that the queue has given up: its workers died over and over, and another try could kill the next one. */
  async function abandon(push: CallLanePush, replyTo: string): Promise<void> {
    deps.events.pushParked(push)
    const [known] = await outcomes.find([push.id])
    await (known ? closeRow(push, known) : end(push, replyTo, 1, 'poison'))
  }
  return Object.assign(deliver, { abandon })
}
export type DeliverCall = ReturnType<typeof createDeliverCall>

function createFinish({ outcomes, pushLog, events, clock }: DeliverCallDeps) {
  // With the job still in hand, a crash before the commit leads to another worker that closes the row. With the database
  // away the job must end all the same, or no slot would be left for calls; the row is kept in memory and follows.
  const closeRow = async (push: CallLanePush, result: PushResult): Promise<Verdict> => {
    await within(ROW_MS, 'closing the push log', pushLog.closed(push, result)).catch((error: unknown) => {
      events.backgroundError('push-log', toError(error))
    })
    return { done: true }
  }

  /** Tells whoever waits first, then closes the row: the caller's answer must not wait for a commit. */
  const finish = async (
    push: CallLanePush,
    replyTo: string,
    end: Omit<PushResult, 'closedAt'>,
  ): Promise<Verdict> => {
    const result: PushResult = { ...end, closedAt: clock.now() }
    await outcomes.report(result, replyTo).catch((error: unknown) => {
      // The waiting process falls back to its deadline; the row below is still written.
      events.backgroundError('outcomes', toError(error))
    })
    events.pushClosed(push, result)
    return closeRow(push, result)
  }
  return { finish, closeRow }
}
