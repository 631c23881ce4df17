import { MINUTE, SECOND } from '../lib/units.ts'
import type { TokenLimit } from '../limits/rate-limits.ts'
import { createRecentMap } from '../limits/recent-map.ts'
import type { Outcomes } from '../push/outcomes.ts'
import type { PendingPushStore } from '../push/pending-push-store.ts'
import type { CallLanePush, Push } from '../push/push.ts'
import { LANE_OF, type Lane } from '../push/push-kinds.ts'
import type { PushLog } from '../push/push-log.ts'
import type { PushResult } from '../push/push-result.ts'
import type { SubmitCall } from '../push/submit-call.ts'
import type { SubmitMessage } from '../push/submit-message.ts'
import type { Signals } from '../signals/signals.ts'
import { isCounted } from './admit-push.ts'
import { type BuildDeps, buildPush, type Sender } from './build-push.ts'
import { claimKey, requestHash } from './idempotency.ts'
import type { BatchItem, PushRequest } from './push-request.ts'

/** FlowPBX gives up after 10 s; our answer must be there before. */
const MAX_WAIT_MS = 8 * SECOND
/** Time for a worker to say that the push has expired. */
const LATE_MS = SECOND / 2

export interface GatewayDeps extends BuildDeps {
  submitCall: SubmitCall
  submitMessage: SubmitMessage
  pendingPushes: PendingPushStore
  outcomes: Outcomes
  pushLog: PushLog
  signals: Signals
  tokenLimits: Readonly<Record<Lane, TokenLimit>>
}

/** `result` is missing while the outcome is open, as it always is for messages: those are promised, not awaited. */
export interface Accepted {
  push: Push
  result?: PushResult
}

/** Accepts pushes of a licensed PBX. */
export function createGatewayPush(deps: GatewayDeps) {
  const admitToken = createTokenGate(deps)
  return async function gatewayPush(
    sender: Sender,
    request: PushRequest | BatchItem,
    options: { idempotencyKey?: string; wait: boolean; signal: AbortSignal },
  ): Promise<Accepted> {
    const key = options.idempotencyKey
    const push = buildPush(deps, sender, request, key)
    await admitToken(push, key !== undefined)
    const hash = key === undefined ? undefined : requestHash(deps.keyring, request)
    if (!isOfCalls(push)) {
      await deps.submitMessage(push, hash)
      return { push }
    }
    const isNew = hash === undefined || (await claimKey(deps, push.id, hash))
    if (options.wait) return awaitCall(deps, push, isNew, options.signal)
    if (isNew) await deps.submitCall(push, deps.outcomes.replyTo, 'now')
    return { push }
  }
}
export type GatewayPush = ReturnType<typeof createGatewayPush>

/**
 * Of what one phone may get in a minute, a repeated request is none: it makes no second push. Each node knows those that it
 * judged itself.
 */
function createTokenGate({ tokenLimits, clock }: GatewayDeps) {
  const verdicts = createRecentMap<Promise<void>>(clock, { keepMs: MINUTE, most: 20_000 })
  return async ({ id, kind, tenantId, tokenHash }: Push, isRepeatable: boolean): Promise<void> => {
    if (!isCounted(kind)) return
    const known = isRepeatable ? verdicts.get(id) : undefined
    const verdict = known ?? tokenLimits[LANE_OF[kind]].take(tenantId, tokenHash)
    if (known || !isRepeatable) return verdict
    verdicts.set(id, verdict)
    try {
      await verdict
    } catch (refusal) {
      verdicts.delete(id)
      throw refusal
    }
  }
}

const isOfCalls = (push: Push): push is CallLanePush => LANE_OF[push.kind] === 'calls'

async function awaitCall(
  { submitCall, outcomes, pushLog }: GatewayDeps,
  push: CallLanePush,
  isNew: boolean,
  signal: AbortSignal,
): Promise<Accepted> {
  const waitMs = Math.min(MAX_WAIT_MS, push.expiresAt - push.acceptedAt + LATE_MS)
  const waiter = outcomes.wait(push.id, waitMs)
  signal.addEventListener('abort', waiter.cancel, { once: true })
  try {
    // A repeated request gets the outcome of the first, which may be there already.
    await (isNew ? submitCall(push, outcomes.replyTo, 'late') : outcomes.refresh(push.id))
    const result = await waiter.result
    if (result) pushLog.answered(push.id)
    return { push, ...(result && { result }) }
  } finally {
    waiter.cancel()
  }
}
