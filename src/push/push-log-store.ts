import type { Knex } from 'knex'
import type { Push, PushState } from './push.ts'
import { because, type PushResult } from './push-result.ts'

/** A row as people may see it: no token, no content. Times are milliseconds since the epoch. */
export interface PushRecord {
  id: string
  callId: string
  provider: string
  state: PushState
  attempts: number
  reason?: string
  detail?: string
  providerId?: string
  acceptedAt: number
  startedAt?: number
  sentAt?: number
  answeredAt?: number
  closedAt?: number
  expiresAt: number
}

const COLUMNS = `id, tenant_id, license_id, kind, provider, environment, app_id, token_hash, device_id, extension, call_id,
  state, attempts, provider_id, reason, detail, accepted_at, started_at, sent_at, answered_at, closed_at, expires_at`

const RECORD = `id uuid, tenant_id uuid, license_id uuid, kind text, provider text, environment text, app_id text,
  token_hash text, device_id uuid, extension text, call_id text, state text, attempts smallint, provider_id text, reason text,
  detail text, accepted_at timestamptz, started_at timestamptz, sent_at timestamptz, answered_at timestamptz,
  closed_at timestamptz, expires_at timestamptz`

/** One row per push. Whole batches travel as one JSON parameter: one plan, one round trip, one commit. */
export function createPushLogStore(db: Knex) {
  return {
    /** A row that is already there stays as it is: a fast worker may have closed it. */
    async open(pushes: readonly Push[]): Promise<void> {
      await db.raw(
        `INSERT INTO push_logs (${COLUMNS}) SELECT ${COLUMNS} FROM json_to_recordset(?::json) AS r (${RECORD})
         ON CONFLICT (id) DO NOTHING`,
        [JSON.stringify(pushes.map((push) => toRow(push)))],
      )
    },

    /** Closes each push once; a row that nobody opened is written whole. Terminal rows never change again. */
    async close(ended: readonly { push: Push; result: PushResult }[]): Promise<void> {
      // A statement may touch a row only once; the first end of a push is the one that counts.
      const first = new Map<string, object>()
      for (const { push, result } of ended) {
        if (!first.has(push.id)) first.set(push.id, toRow(push, result))
      }
      await db.raw(
        `INSERT INTO push_logs (${COLUMNS}) SELECT ${COLUMNS} FROM json_to_recordset(?::json) AS r (${RECORD})
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
           provider_id = excluded.provider_id, reason = excluded.reason, detail = excluded.detail,
           started_at = excluded.started_at, sent_at = excluded.sent_at, answered_at = excluded.answered_at,
           closed_at = excluded.closed_at
         WHERE push_logs.closed_at IS NULL`,
        [JSON.stringify([...first.values()])],
      )
    },

    /** Ids of open pushes that nobody will close any more. Rows another node is looking at are left out. */
    async stale(expiredBefore: number, limit: number): Promise<string[]> {
      const { rows } = await db.raw<{ rows: { id: string }[] }>(
        `SELECT id FROM push_logs WHERE closed_at IS NULL AND expires_at < to_timestamp(? / 1000.0)
         ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED`,
        [expiredBefore, limit],
      )
      return rows.map(({ id }) => id)
    },

    /** Closes rows whose outcome is known, and the others as failed. Returns how many were still open. */
    async closeStale(ids: readonly string[], known: readonly PushResult[], now: number): Promise<number> {
      const results = new Map(known.map((result) => [result.id, result]))
      const rows = ids.map((id) => {
        const result = results.get(id) ?? {
          id,
          state: 'failed',
          attempts: 0,
          ...because('no_outcome'),
          closedAt: now,
        }
        return { id, ...resultColumns(result) }
      })
      const { rowCount } = await db.raw<{ rowCount: number }>(
        `UPDATE push_logs SET state = r.state, attempts = r.attempts, provider_id = r.provider_id, reason = r.reason,
           detail = r.detail, started_at = r.started_at, sent_at = r.sent_at, answered_at = r.answered_at, closed_at = r.closed_at
         FROM json_to_recordset(?::json) AS r (${RECORD})
         WHERE push_logs.id = r.id AND push_logs.closed_at IS NULL`,
        [JSON.stringify(rows)],
      )
      return rowCount
    },

    async find(tenantId: string, id: string): Promise<PushRecord | undefined> {
      const row = await db<PushLogRow>('push_logs')
        .first(...RECORD_COLUMNS)
        .where({ id, tenant_id: tenantId })
      return row && fromRow(row)
    },
  }
}
export type PushLogStore = ReturnType<typeof createPushLogStore>

const RECORD_COLUMNS = [
  'id',
  'call_id',
  'provider',
  'state',
  'attempts',
  'reason',
  'detail',
  'provider_id',
  'accepted_at',
  'started_at',
  'sent_at',
  'answered_at',
  'closed_at',
  'expires_at',
] as const

interface PushLogRow {
  id: string
  tenant_id: string
  call_id: string
  provider: string
  state: PushState
  attempts: number
  reason: string | null
  detail: string | null
  provider_id: string | null
  accepted_at: Date
  started_at: Date | null
  sent_at: Date | null
  answered_at: Date | null
  closed_at: Date | null
  expires_at: Date
}

const iso = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString())

function toRow(push: Push, result?: PushResult) {
  return {
    id: push.id,
    tenant_id: push.tenantId,
    license_id: push.licenseId,
    kind: push.kind,
    provider: push.provider,
    environment: push.environment,
    app_id: push.appId,
    token_hash: push.tokenHash,
    device_id: push.deviceId,
    extension: push.extension,
    call_id: push.content.callId,
    accepted_at: iso(push.acceptedAt),
    expires_at: iso(push.expiresAt),
    ...(result ? resultColumns(result) : { state: 'queued', attempts: 0 }),
  }
}

function resultColumns(result: PushResult) {
  return {
    state: result.state,
    attempts: result.attempts,
    provider_id: result.providerId,
    reason: result.reason,
    detail: result.detail,
    started_at: iso(result.startedAt),
    sent_at: iso(result.sentAt),
    answered_at: iso(result.answeredAt),
    closed_at: iso(result.closedAt),
  }
}

function fromRow(row: Omit<PushLogRow, 'tenant_id'>): PushRecord {
  return {
    id: row.id,
    callId: row.call_id,
    provider: row.provider,
    state: row.state,
    attempts: row.attempts,
    acceptedAt: row.accepted_at.getTime(),
    expiresAt: row.expires_at.getTime(),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.detail !== null && { detail: row.detail }),
    ...(row.provider_id !== null && { providerId: row.provider_id }),
    ...(row.started_at && { startedAt: row.started_at.getTime() }),
    ...(row.sent_at && { sentAt: row.sent_at.getTime() }),
    ...(row.answered_at && { answeredAt: row.answered_at.getTime() }),
    ...(row.closed_at && { closedAt: row.closed_at.getTime() }),
  }
}
