import { z } from 'zod'
import type { Reply } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { callIdOf, type Push } from '../push/push.ts'
import { PUSH_KINDS } from '../push/push-kinds.ts'
import type { PushRecord } from '../push/push-record.ts'
import type { PushResult } from '../push/push-result.ts'

export const PushAnswer = z
  .object({
    delivered: z.boolean().describe('The provider has accepted the push.'),
    call_id: z.string().optional().describe('The SIP Call-ID, of pushes that belong to a call.'),
    push_id: z.string(),
    kind: z.enum(PUSH_KINDS),
    status: z.string().describe('State of the push.'),
    token_valid: z.boolean().describe('False: forget the token.'),
    token_state: z
      .enum(['valid', 'quarantined', 'dead'])
      .describe('Quarantined: the provider refused it once; it is kept until a second opinion.'),
    reason: z.string().optional(),
    detail: z.string().optional(),
    attempts: z.int().optional(),
    provider_id: z.string().optional(),
    provider_status: z.int().optional().describe('The HTTP status of the provider’s last answer.'),
  })
  .meta({ id: 'PushAnswer' })

/** A push whose outcome is open. */
export const openAnswer = (push: Push) => ({
  delivered: false,
  ...withCall(callIdOf(push)),
  push_id: push.id,
  kind: push.kind,
  status: 'queued',
  token_valid: true,
  token_state: 'valid',
})

/** FlowPBX counts every status but 200 as a failure, and a dead token is one. */
export function endAnswer(push: Push, result: PushResult | PushRecord): Reply {
  const described = describe(push.id, push.kind, callIdOf(push), result)
  if (result.state === 'delivered') return { data: described }
  const { delivered, ...extra } = described
  throw new Problem('push_failed', { extra })
}

/** A push as the log has it. */
export const recordAnswer = (record: PushRecord) => describe(record.id, record.kind, record.callId, record)

const withCall = (callId: string | undefined) => (callId === undefined ? {} : { call_id: callId })

const describe = (id: string, kind: string, callId: string | undefined, push: PushResult | PushRecord) => ({
  delivered: push.state === 'delivered',
  ...withCall(callId),
  push_id: id,
  kind,
  status: push.state,
  token_valid: push.tokenState !== 'dead',
  token_state: push.tokenState ?? 'valid',
  attempts: push.attempts,
  ...(push.reason !== undefined && { reason: push.reason }),
  ...(push.detail !== undefined && { detail: push.detail }),
  ...(push.providerId !== undefined && { provider_id: push.providerId }),
  ...(push.providerStatus !== undefined && { provider_status: push.providerStatus }),
})
