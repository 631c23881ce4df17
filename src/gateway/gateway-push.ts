import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { callUuid, derivedId, newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { HOUR, SECOND } from '../lib/units.ts'
import type { Outcomes } from '../push/outcomes.ts'
import type { Push } from '../push/push.ts'
import type { PushLog } from '../push/push-log.ts'
import type { PushResult } from '../push/push-result.ts'
import type { SubmitCall } from '../push/submit.ts'
import type { Signals } from '../signals/signals.ts'
import type { PushRequest } from './push-request.ts'

/** FlowPBX gives up after 10 s; our answer must be there before. */
const MAX_WAIT_MS = 8 * SECOND
/** Time for a worker to say that the push has expired. */
const LATE_MS = SECOND / 2
const IDEMPOTENCY_MS = 24 * HOUR

export interface GatewayDeps {
  submitCall: SubmitCall
  outcomes: Outcomes
  pushLog: PushLog
  signals: Signals
  keyring: Keyring
  clock: Clock
  /** Ids of the apps with credentials; the first one is meant when a request names none. */
  appIds: readonly string[]
  pushTtlMs: number
}
type Sender = { id: string; tenantId: string }

/** Accepts a push of a licensed PBX. `result` is missing while the outcome is open. */
export function createGatewayPush(deps: GatewayDeps) {
  return async function gatewayPush(
    sender: Sender,
    request: PushRequest,
    options: { idempotencyKey?: string; wait: boolean; signal: AbortSignal },
  ): Promise<{ pushId: string; result?: PushResult }> {
    const push = buildPush(deps, sender, request, options.idempotencyKey)
    const isNew = options.idempotencyKey === undefined || (await claimKey(deps, push.id, request))
    if (!options.wait) {
      if (isNew) await deps.submitCall(push, deps.outcomes.replyTo, 'now')
      return { pushId: push.id }
    }
    const waiter = deps.outcomes.wait(
      push.id,
      Math.min(MAX_WAIT_MS, push.expiresAt - push.acceptedAt + LATE_MS),
    )
    options.signal.addEventListener('abort', waiter.cancel, { once: true })
    try {
      // A repeated request gets the outcome of the first, which may be there already.
      await (isNew ? deps.submitCall(push, deps.outcomes.replyTo, 'late') : deps.outcomes.refresh(push.id))
      const result = await waiter.result
      if (result) deps.pushLog.answered(push.id)
      return { pushId: push.id, ...(result && { result }) }
    } finally {
      waiter.cancel()
    }
  }
}
export type GatewayPush = ReturnType<typeof createGatewayPush>

function buildPush(
  { keyring, clock, appIds, pushTtlMs }: GatewayDeps,
  sender: Sender,
  request: PushRequest,
  idempotencyKey: string | undefined,
): Push {
  const appId = request.app_id ?? appIds[0] ?? ''
  if (request.app_id !== undefined && !appIds.includes(request.app_id))
    throw new Problem('unknown_app', { field: 'app_id' })
  const tokenHash = keyring.tokenHash(request.push_token)
  const acceptedAt = clock.now()
  return {
    id: idempotencyKey === undefined ? newId() : derivedId(sender.tenantId, 'push', idempotencyKey),
    tenantId: sender.tenantId,
    licenseId: sender.id,
    kind: 'call',
    provider: request.push_platform,
    environment: request.environment,
    appId,
    token: request.push_token,
    tokenHash,
    content: {
      callId: request.call_id,
      callUuid: callUuid(sender.tenantId, request.call_id, tokenHash),
      callerId: request.caller_id,
      ...(request.caller_name !== undefined && { callerName: request.caller_name }),
    },
    acceptedAt,
    expiresAt: acceptedAt + (request.ttl === undefined ? pushTtlMs : request.ttl * SECOND),
  }
}

/** True for the first request with this key; throws when an earlier one with the key said something else. */
async function claimKey(
  { signals, keyring }: GatewayDeps,
  pushId: string,
  request: PushRequest,
): Promise<boolean> {
  const { license_key, push_token, ...rest } = request
  const body = JSON.stringify([keyring.tokenHash(push_token), Object.entries(rest).sort()])
  const digest = createHash('sha256').update(body).digest('hex')
  const first = await signals
    .claim(`idempotency.${pushId}`, digest, IDEMPOTENCY_MS)
    .catch((cause: unknown) => {
      // Without the store we cannot know whether this is a repetition, and ringing twice is worse than not at all.
      throw new Problem('queue_unavailable', { retryAfter: 1, cause })
    })
  if (first === undefined) return true
  if (first !== digest) throw new Problem('idempotency_conflict')
  return false
}
