import { z } from 'zod'
import { PUSH_STATES } from '../push/push.ts'
import { PUSH_KINDS } from '../push/push-kinds.ts'
import type { PushRecord } from '../push/push-record.ts'
import type { PushAttempt } from '../push/push-result.ts'

/** What an operator may ask the push log, and what it tells him. */
const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !value.includes('\0'), 'must not contain NUL')
const time = (name: string) =>
  z.iso.datetime({ offset: true, error: `${name} must be a time like 2026-11-21T10:00:00Z` })

export const MAX_LIMIT = 200
const LIMIT = `limit must be a whole number from 1 to ${MAX_LIMIT}`

export const PushQuery = z.strictObject({
  call_id: text(256).optional().describe('SIP Call-ID.'),
  message_id: z.uuid('message_id must be a UUID').optional().describe('Of a chat message.'),
  extension: text(64).optional().describe('Of any tenant; narrow it with `tenant_id`.'),
  token_hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'token_hash must be 64 hex digits in lower case')
    .optional()
    .describe('As another push of the phone shows it: a token itself never stands in a URL.'),
  license_id: z.uuid('license_id must be a UUID').optional(),
  tenant_id: z.uuid('tenant_id must be a UUID').optional(),
  state: z.enum(PUSH_STATES, `state must be one of ${PUSH_STATES.join(', ')}`).optional(),
  kind: z.enum(PUSH_KINDS, `kind must be one of ${PUSH_KINDS.join(', ')}`).optional(),
  from: time('from').optional().describe('Accepted at this time or later (RFC 3339).'),
  to: time('to').optional().describe('Accepted before this time.'),
  limit: z.coerce
    .number(LIMIT)
    .int(LIMIT)
    .min(1, LIMIT)
    .max(MAX_LIMIT, LIMIT)
    .default(50)
    .describe(`From 1 to ${MAX_LIMIT}.`),
  cursor: z
    .string()
    .max(500)
    .optional()
    .describe('The `next_cursor` of the page before, with the same filters.'),
})

const optionalTime = z.string().optional()
export const LoggedPush = z
  .object({
    id: z.uuid(),
    tenant_id: z.uuid(),
    license_id: z.uuid().optional().describe('Absent when the push came by a PBX key.'),
    kind: z.enum(PUSH_KINDS),
    provider: z.enum(['apns', 'fcm']),
    environment: z.enum(['production', 'sandbox']),
    app_id: z.string(),
    token_hash: z.string().describe('Finds the other pushes of the phone; the token cannot be read from it.'),
    device_id: z.uuid().optional(),
    extension: z.string().optional(),
    call_id: z.string().optional(),
    message_id: z.uuid().optional(),
    state: z.enum(PUSH_STATES),
    token_state: z.enum(['valid', 'quarantined', 'dead']),
    attempts: z.int(),
    reason: z.string().optional().describe('The provider’s word or ours.'),
    detail: z.string().optional(),
    provider_id: z.string().optional(),
    provider_status: z.int().optional().describe('HTTP status of the provider’s last answer.'),
    accepted_at: z.string(),
    started_at: optionalTime.describe('A worker took it up.'),
    sent_at: optionalTime.describe('The last request left for the provider.'),
    answered_at: optionalTime.describe('Its answer was there.'),
    closed_at: optionalTime,
    expires_at: z.string(),
  })
  .meta({ id: 'LoggedPush' })

export const FailedAttempt = z
  .object({
    number: z.int().describe('1 for the first.'),
    environment: z.enum(['production', 'sandbox']),
    outcome: z.enum(['token_dead', 'retry', 'rejected', 'unknown']),
    class: z.enum(['token', 'message', 'config', 'provider_token', 'transient', 'unknown']),
    provider_status: z.int().optional(),
    reason: z.string(),
    sent_at: z.string(),
    answered_at: z.string(),
  })
  .meta({ id: 'FailedAttempt' })

const iso = (time: number) => new Date(time).toISOString()

export const describePush = (push: PushRecord): z.output<typeof LoggedPush> => ({
  id: push.id,
  tenant_id: push.tenantId,
  ...(push.licenseId !== undefined && { license_id: push.licenseId }),
  kind: push.kind,
  provider: push.provider,
  environment: push.environment,
  app_id: push.appId,
  token_hash: push.tokenHash,
  ...(push.deviceId !== undefined && { device_id: push.deviceId }),
  ...(push.extension !== undefined && { extension: push.extension }),
  ...(push.callId !== undefined && { call_id: push.callId }),
  ...(push.messageId !== undefined && { message_id: push.messageId }),
  state: push.state,
  token_state: push.tokenState,
  attempts: push.attempts,
  ...(push.reason !== undefined && { reason: push.reason }),
  ...(push.detail !== undefined && { detail: push.detail }),
  ...(push.providerId !== undefined && { provider_id: push.providerId }),
  ...(push.providerStatus !== undefined && { provider_status: push.providerStatus }),
  accepted_at: iso(push.acceptedAt),
  ...(push.startedAt !== undefined && { started_at: iso(push.startedAt) }),
  ...(push.sentAt !== undefined && { sent_at: iso(push.sentAt) }),
  ...(push.answeredAt !== undefined && { answered_at: iso(push.answeredAt) }),
  ...(push.closedAt !== undefined && { closed_at: iso(push.closedAt) }),
  expires_at: iso(push.expiresAt),
})

export const describeAttempt = (attempt: PushAttempt): z.output<typeof FailedAttempt> => ({
  number: attempt.number,
  environment: attempt.environment,
  outcome: attempt.outcome,
  class: attempt.class,
  ...(attempt.status !== undefined && { provider_status: attempt.status }),
  reason: attempt.reason,
  sent_at: iso(attempt.sentAt),
  answered_at: iso(attempt.answeredAt),
})
