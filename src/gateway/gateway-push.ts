import { MINUTE } from '../lib/units.ts'
import type { TokenLimit } from '../limits/rate-limits.ts'
import { createRecentMap } from '../limits/recent-map.ts'
import type { CallLanePush, Push } from '../push/push.ts'
import { LANE_OF, type Lane } from '../push/push-kinds.ts'
import type { SubmitMessage } from '../push/submit-message.ts'
import { isCounted } from './admit-push.ts'
import { type BuildDeps, buildPush, type Sender } from './build-push.ts'
import { requestHash } from './idempotency.ts'
import type { BatchItem, PushRequest } from './push-request.ts'
import { type Accepted, createSendCall, type SendCallDeps } from './send-call.ts'

export interface GatewayDeps extends BuildDeps, SendCallDeps {
  submitMessage: SubmitMessage
  tokenLimits: Readonly<Record<Lane, TokenLimit>>
}

/** Accepts pushes of a licensed PBX. */
export function createGatewayPush(deps: GatewayDeps) {
  const admitToken = createTokenGate(deps)
  const sendCall = createSendCall(deps)
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
    return sendCall(push, { ...options, hash })
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
