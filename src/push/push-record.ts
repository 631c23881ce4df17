import type { ApnsEnvironment, PushState } from './push.ts'
import type { Provider, PushKind } from './push-kinds.ts'
import type { PushAttempt, TokenState } from './push-result.ts'

/** A push as people may see it: no token, no content. Times are milliseconds since the epoch. */
export interface PushRecord {
  id: string
  tenantId: string
  licenseId?: string
  kind: PushKind
  provider: Provider
  environment: ApnsEnvironment
  appId: string
  tokenHash: string
  deviceId?: string
  extension?: string
  callId?: string
  /** Of a chat message. */
  messageId?: string
  state: PushState
  tokenState: TokenState
  attempts: number
  reason?: string
  detail?: string
  providerId?: string
  providerStatus?: number
  acceptedAt: number
  startedAt?: number
  sentAt?: number
  answeredAt?: number
  closedAt?: number
  expiresAt: number
}

/** A row of push_logs as the driver gives it. */
export interface PushLogRow {
  id: string
  tenant_id: string
  license_id: string | null
  kind: PushKind
  provider: Provider
  environment: ApnsEnvironment
  app_id: string
  token_hash: string
  device_id: string | null
  extension: string | null
  call_id: string | null
  message_id: string | null
  state: PushState
  token_state: TokenState
  attempts: number
  provider_id: string | null
  provider_status: number | null
  reason: string | null
  detail: string | null
  accepted_at: Date
  started_at: Date | null
  sent_at: Date | null
  answered_at: Date | null
  closed_at: Date | null
  expires_at: Date
}

export function toRecord(row: PushLogRow): PushRecord {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    kind: row.kind,
    provider: row.provider,
    environment: row.environment,
    appId: row.app_id,
    tokenHash: row.token_hash,
    state: row.state,
    tokenState: row.token_state,
    attempts: row.attempts,
    acceptedAt: row.accepted_at.getTime(),
    expiresAt: row.expires_at.getTime(),
    ...(row.license_id !== null && { licenseId: row.license_id }),
    ...(row.device_id !== null && { deviceId: row.device_id }),
    ...(row.extension !== null && { extension: row.extension }),
    ...(row.call_id !== null && { callId: row.call_id }),
    ...(row.message_id !== null && { messageId: row.message_id }),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.detail !== null && { detail: row.detail }),
    ...(row.provider_id !== null && { providerId: row.provider_id }),
    ...(row.provider_status !== null && { providerStatus: row.provider_status }),
    ...(row.started_at && { startedAt: row.started_at.getTime() }),
    ...(row.sent_at && { sentAt: row.sent_at.getTime() }),
    ...(row.answered_at && { answeredAt: row.answered_at.getTime() }),
    ...(row.closed_at && { closedAt: row.closed_at.getTime() }),
  }
}

/** A row of push_attempts as the driver gives it. */
export interface PushAttemptRow {
  number: number
  environment: ApnsEnvironment
  sent_at: Date
  answered_at: Date
  outcome: PushAttempt['outcome']
  class: PushAttempt['class']
  provider_status: number | null
  reason: string
}

export const toAttempt = (row: PushAttemptRow): PushAttempt => ({
  number: row.number,
  environment: row.environment,
  sentAt: row.sent_at.getTime(),
  answeredAt: row.answered_at.getTime(),
  outcome: row.outcome,
  class: row.class,
  reason: row.reason,
  ...(row.provider_status !== null && { status: row.provider_status }),
})
