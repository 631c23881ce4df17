import type { DeviceTokenStore, TokenKind } from '../devices/device-token-store.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Signals } from '../signals/signals.ts'
import type { Outcomes } from './outcomes.ts'
import type { Outcome, Provider, Push, PushProvider } from './push.ts'
import type { PushLog } from './push-log.ts'
import { because, type PushResult } from './push-result.ts'

const ROW_MS = SECOND
/** A claim outlives every retry of a call push. */
export const CLAIM_MS = 5 * MINUTE
/** Whoever holds this key may send this try of the push; nobody else will. */
export const claimKey = (pushId: string, attempt: number): string => `claim.${pushId}.${attempt}`

export interface Attempt {
  /** 0 for the first. */
  number: number
  last: boolean
  /** Milliseconds until the next one, if there is one. */
  pauseMs: number
}

/** What the queue has to do next. */
export type Verdict = { done: true } | { done: false; reason: string; retryAfterMs?: number }

export interface DeliverDeps {
  providers: Readonly<Record<Provider, PushProvider>>
  signals: Signals
  outcomes: Outcomes
  pushLog: PushLog
  tokens: DeviceTokenStore
  events: Events
  clock: Clock
}

/**
 * One try of one push, from the deadline check to the closed row. Safe to run twice: a try that somebody has begun is never
 * begun again, because a phone that rings twice for one call is worse than a push whose fate is unknown.
 */
export function createDeliver(deps: DeliverDeps) {
  const { providers, signals, outcomes, clock } = deps
  const finish = createFinish(deps)

  async function deliver(push: Push, replyTo: string, attempt: Attempt): Promise<Verdict> {
    const startedAt = clock.now()
    const times = { id: push.id, attempts: attempt.number + 1, startedAt }

    // Before the deadline is looked at: a push that a lost worker has sent did not expire unsent, however late it is now.
    const begunBy = await signals.claim(claimKey(push.id, attempt.number), replyTo, CLAIM_MS)
    if (begunBy !== undefined) {
      const [known] = await outcomes.find([push.id])
      return finish(
        push,
        replyTo,
        known ?? { ...times, state: 'failed', uncertain: true, ...because('worker_lost') },
      )
    }
    const sentAt = clock.now()
    if (sentAt >= push.expiresAt)
      return finish(push, replyTo, { ...times, state: 'expired', ...because('expired') })

    const outcome = await providers[push.provider].send(push, AbortSignal.timeout(push.expiresAt - sentAt))
    const answered = { ...times, sentAt, answeredAt: clock.now() }

    if (outcome.kind === 'token_dead') await invalidate(deps, push, outcome, sentAt)
    if (outcome.kind === 'retry') {
      const next = clock.now() + Math.max(attempt.pauseMs, outcome.retryAfterMs ?? 0)
      if (!attempt.last && next < push.expiresAt) return { ...outcome, done: false }
    }
    return finish(push, replyTo, { ...answered, ...stateOf(outcome) })
  }

  /** Ends a push that the queue has given up: its workers died over and over, and another try could kill the next one. */
  async function abandon(push: Push, replyTo: string): Promise<void> {
    const [known] = await outcomes.find([push.id])
    const lost = {
      id: push.id,
      attempts: 1,
      state: 'failed',
      uncertain: true,
      ...because('worker_lost'),
    } as const
    await finish(push, replyTo, known ?? lost)
  }
  return Object.assign(deliver, { abandon })
}
export type Deliver = ReturnType<typeof createDeliver>

/** Tells whoever waits first, then closes the row: the caller's answer must not wait for a commit. */
function createFinish({ outcomes, pushLog, events, clock }: DeliverDeps) {
  return async (push: Push, replyTo: string, end: Omit<PushResult, 'closedAt'>): Promise<Verdict> => {
    const result: PushResult = { ...end, closedAt: clock.now() }
    await outcomes.report(result, replyTo).catch((error: unknown) => {
      // The waiting process falls back to its deadline; the row below is still written.
      events.backgroundError('outcomes', toError(error))
    })
    events.pushClosed(push, result)
    // With the job still in hand, a crash before the commit leads to another worker that closes the row. With the database
    // away the job must end all the same, or no slot would be left for calls; the row is kept in memory and follows.
    await within(ROW_MS, 'closing the push log', pushLog.closed(push, result)).catch((error: unknown) => {
      events.backgroundError('push-log', toError(error))
    })
    return { done: true }
  }
}

function stateOf(
  outcome: Outcome,
): Pick<PushResult, 'state' | 'reason' | 'detail' | 'providerId' | 'uncertain'> {
  switch (outcome.kind) {
    case 'accepted':
      return { state: 'delivered', providerId: outcome.providerId }
    case 'token_dead':
      return { state: 'token_dead', reason: outcome.reason, detail: outcome.detail }
    case 'rejected':
      return { state: 'rejected', reason: outcome.reason, detail: outcome.detail }
    case 'retry':
      return { state: 'failed', reason: outcome.reason, detail: `${outcome.detail} No time or try was left.` }
    case 'unknown':
      return { state: 'failed', reason: outcome.reason, detail: outcome.detail, uncertain: true }
  }
}

/** The tokens that a call goes to, by provider. */
const CALL_TOKEN: Record<Provider, TokenKind> = { apns: 'apns_voip', fcm: 'fcm' }

async function invalidate(
  { tokens, events }: DeliverDeps,
  push: Push,
  dead: Extract<Outcome, { kind: 'token_dead' }>,
  sentAt: number,
): Promise<void> {
  const { environment, tokenHash } = push
  // Without a date of the vendor: dead as of this try, so that a registration during the try survives.
  const deadSince = new Date(dead.deadSince ?? sentAt)
  try {
    const kind = CALL_TOKEN[push.provider]
    const marked = await tokens.invalidate({ kind, environment, tokenHash, deadSince, reason: dead.reason })
    if (marked) events.tokenInvalidated(push, dead.reason)
  } catch (error) {
    // The next push to the token meets the same answer; this call's outcome must not wait for the database.
    events.backgroundError('invalidate-token', toError(error))
  }
}
