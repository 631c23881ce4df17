import { callIdOf, type Push } from './push.ts'
import type { PushAttempt, PushResult } from './push-result.ts'

/** A push and its end as a row of push_logs. Rows travel as JSON, so a column that is absent there is NULL. */

/** The columns that are written. */
export const ROW_COLUMNS = `id, tenant_id, license_id, kind, provider, environment, app_id, token_hash, device_id, extension,
  call_id, message_id, state, token_state, attempts, provider_id, provider_status, reason, detail, accepted_at, started_at, sent_at,
  answered_at, closed_at, expires_at`

/** The same as `json_to_recordset` wants them told. */
export const ROW_RECORD = `id uuid, tenant_id uuid, license_id uuid, kind text, provider text, environment text, app_id text,
  token_hash text, device_id uuid, extension text, call_id text, message_id uuid, state text, token_state text, attempts smallint,
  provider_id text, provider_status smallint, reason text, detail text, accepted_at timestamptz, started_at timestamptz,
  sent_at timestamptz, answered_at timestamptz, closed_at timestamptz, expires_at timestamptz`

const RESULT_COLUMNS = [
  'state',
  'token_state',
  'attempts',
  'provider_id',
  'provider_status',
  'reason',
  'detail',
  'started_at',
  'sent_at',
  'answered_at',
  'closed_at',
] as const satisfies readonly (keyof ReturnType<typeof resultColumns>)[]

/** The assignments that end a push, taken from the row `alias`: `excluded` in an upsert. */
export const setResult = (alias: string): string =>
  [
    ...RESULT_COLUMNS.map((column) => `${column} = ${alias}.${column}`),
    `environment = coalesce(${alias}.environment, push_logs.environment)`,
  ].join(', ')

/** An open row, or a closed one if there is a result. */
export function toRow(push: Push, result?: PushResult) {
  return {
    id: push.id,
    tenant_id: push.tenantId,
    license_id: push.licenseId,
    kind: push.kind,
    provider: push.provider,
    environment: result?.environment ?? push.environment,
    app_id: push.appId,
    token_hash: push.tokenHash,
    device_id: push.deviceId,
    extension: storable(push.extension),
    call_id: storable(callIdOf(push)),
    message_id: push.subject?.message?.id,
    accepted_at: iso(push.acceptedAt),
    expires_at: iso(push.expiresAt),
    ...(result ? resultColumns(result) : { state: 'queued', token_state: 'valid', attempts: 0 }),
  }
}

/** What the end of a push changes in its row. */
export function resultColumns(result: PushResult) {
  return {
    state: result.state,
    token_state: result.tokenState ?? 'valid',
    attempts: result.attempts,
    provider_id: storable(result.providerId),
    provider_status: result.providerStatus,
    reason: storable(result.reason),
    detail: storable(result.detail),
    started_at: iso(result.startedAt),
    sent_at: iso(result.sentAt),
    answered_at: iso(result.answeredAt),
    closed_at: iso(result.closedAt),
  }
}

/** A try that was not accepted, as a row of push_attempts. */
export const toAttemptRow = ({ id, acceptedAt }: Push, attempt: PushAttempt) => ({
  push_id: id,
  accepted_at: iso(acceptedAt),
  number: attempt.number,
  environment: attempt.environment,
  sent_at: iso(attempt.sentAt),
  answered_at: iso(attempt.answeredAt),
  outcome: attempt.outcome,
  class: attempt.class,
  provider_status: attempt.status,
  reason: storable(attempt.reason),
})
export const ATTEMPT_COLUMNS =
  'push_id, accepted_at, number, environment, sent_at, answered_at, outcome, class, provider_status, reason'
export const ATTEMPT_RECORD = `push_id uuid, accepted_at timestamptz, number smallint, environment text, sent_at timestamptz,
  answered_at timestamptz, outcome text, class text, provider_status smallint, reason text`

/**
 * Texts of callers and vendors as PostgreSQL takes them: NUL and halves of surrogate pairs are legal in JSON, and one of them
 * would refuse the whole batch.
 */
const storable = (text: string | undefined) => text?.toWellFormed().replaceAll('\0', '\uFFFD')

const iso = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString())
