import type { Knex } from 'knex'
import { SECOND } from '../lib/units.ts'
import type { Push } from './push.ts'
import type { Provider } from './push-kinds.ts'
import { untilRouted } from './push-log-partition-store.ts'
import { ROW_COLUMNS, ROW_RECORD, setResult, toRow } from './push-log-row.ts'
import type { PushResult } from './push-result.ts'

/** What the messages lane has promised and not ended yet. */
export interface PendingPush {
  id: string
  /** Milliseconds since the epoch. */
  acceptedAt: number
  expiresAt: number
  provider: Provider
  sealed: string
  /** Counts the jobs made for it. */
  generation: number
  /** How often it was taken up; only the last one who did may end it. */
  fence: number
}

export interface NewPending {
  push: Push
  sealed: string
  /** Set when the caller gave an idempotency key: the same request has the same hash. */
  requestHash?: string
}
/** What was there before under the same idempotency key. */
export type Acceptance = { is: 'new' } | { is: 'known'; requestHash: string }

/** The job is added in the same moment; a row still there after this may have lost it. */
const FIRST_CHECK_MS = 5 * SECOND
/** Between two looks at a row whose job is waiting. */
const NEXT_CHECK_MS = 30 * SECOND

const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`
const PENDING = `id, ${ms('accepted_at')} AS "acceptedAt", ${ms('expires_at')} AS "expiresAt", provider, sealed, generation, fence`
const inMs = `now() + ?::float8 * interval '1 millisecond'`

/** New keys first: what they say decides which of the asked are made. */
const ACCEPT = `
  WITH asked AS MATERIALIZED (
    SELECT * FROM json_to_recordset(?::json) AS r (${ROW_RECORD}, sealed text, request_hash text)
  ), keyed AS (
    INSERT INTO idempotency_keys (push_id, request_hash)
    SELECT id, request_hash FROM asked WHERE request_hash IS NOT NULL ORDER BY id
    ON CONFLICT (push_id) DO NOTHING RETURNING push_id
  ), fresh AS (
    SELECT asked.* FROM asked LEFT JOIN keyed ON keyed.push_id = asked.id
    WHERE asked.request_hash IS NULL OR keyed.push_id IS NOT NULL
  ), logged AS (
    INSERT INTO push_logs (${ROW_COLUMNS}) SELECT ${ROW_COLUMNS} FROM fresh
  )
  INSERT INTO pending_pushes (id, accepted_at, expires_at, provider, sealed, next_check_at)
  SELECT id, accepted_at, expires_at, provider, sealed, ${inMs} FROM fresh RETURNING id`

/** Who does not hold the last fence finds no row, and changes nothing. */
const END = `
  WITH r AS MATERIALIZED (
    SELECT * FROM json_to_recordset(?::json) AS r (${ROW_RECORD}, fence integer)
  ), kept AS (
    SELECT p.id FROM pending_pushes p JOIN r ON p.id = r.id AND p.fence = r.fence ORDER BY p.id FOR UPDATE OF p
  ), gone AS (
    DELETE FROM pending_pushes p USING kept, r
    WHERE p.id = kept.id AND r.id = p.id AND p.fence = r.fence RETURNING p.id, p.fence
  ), logged AS (
    INSERT INTO push_logs (${ROW_COLUMNS}) SELECT ${ROW_COLUMNS} FROM r
    WHERE (id, fence) IN (SELECT id, fence FROM gone)
    ON CONFLICT (id, accepted_at) DO UPDATE SET ${setResult('excluded')}
    WHERE push_logs.closed_at IS NULL
  )
  SELECT id, fence FROM gone`

export function createPendingPushStore(db: Knex) {
  return {
    /** Commits rows, promises and idempotency keys together; ids must not repeat within one call. */
    async accept(items: readonly NewPending[]): Promise<Acceptance[]> {
      const rows = items.map(({ push, sealed, requestHash }) => ({
        ...toRow(push),
        sealed,
        request_hash: requestHash,
      }))
      const json = JSON.stringify(rows)
      const { rows: fresh } = await untilRouted(async () =>
        db.raw<{ rows: { id: string }[] }>(ACCEPT, [json, FIRST_CHECK_MS]),
      )
      const isNew = new Set(fresh.map(({ id }) => id))
      const known = items.map(({ push }) => push.id).filter((id) => !isNew.has(id))
      const hashes = known.length > 0 ? await requestHashes(db, known) : new Map<string, string>()
      return items.map(({ push }) =>
        isNew.has(push.id) ? { is: 'new' } : { is: 'known', requestHash: hashes.get(push.id) ?? '' },
      )
    },

    /** Keeps an idempotency key. Undefined: it is new; else the hash of the request that had it first. */
    async claimKey(pushId: string, requestHash: string): Promise<string | undefined> {
      const { rowCount } = await db.raw<{ rowCount: number }>(
        'INSERT INTO idempotency_keys (push_id, request_hash) VALUES (?, ?) ON CONFLICT (push_id) DO NOTHING',
        [pushId, requestHash],
      )
      return rowCount === 1 ? undefined : ((await requestHashes(db, [pushId])).get(pushId) ?? '')
    },

    /** Says something else of an idempotency key from now on. */
    async replaceKey(pushId: string, requestHash: string): Promise<void> {
      await db('idempotency_keys')
        .insert({ push_id: pushId, request_hash: requestHash })
        .onConflict('push_id')
        .merge(['request_hash'])
    },

    /** Takes pushes up: whoever held them before can no longer end them. Those that have ended are missing. */
    async take(ids: readonly string[]): Promise<PendingPush[]> {
      const { rows } = await db.raw<{ rows: PendingPush[] }>(
        `UPDATE pending_pushes SET fence = fence + 1, next_check_at = ${inMs}
         WHERE id IN (SELECT id FROM pending_pushes WHERE id = ANY(?::uuid[]) ORDER BY id FOR UPDATE)
         RETURNING ${PENDING}`,
        [NEXT_CHECK_MS, [...ids]],
      )
      return rows
    },

    /** Ends pushes once: promise and row in one commit. Tells of each whether it was ended by this call. */
    async end(ended: readonly { push: Push; fence: number; result: PushResult }[]): Promise<boolean[]> {
      const keyOf = (id: string, fence: number) => `${id} ${fence}`
      const rows = new Map(
        ended.map(({ push, fence, result }) => [keyOf(push.id, fence), { ...toRow(push, result), fence }]),
      )
      const json = JSON.stringify([...rows.values()])
      const { rows: gone } = await untilRouted(async () =>
        db.raw<{ rows: { id: string; fence: number }[] }>(END, [json]),
      )
      const isGone = new Set(gone.map(({ id, fence }) => keyOf(id, fence)))
      return ended.map(({ push, fence }) => isGone.has(keyOf(push.id, fence)))
    },

    /** Ends a push that cannot be read back: nobody will ever be able to send it. */
    async endUnreadable(
      { id, acceptedAt, fence }: PendingPush,
      why: { reason: string; detail: string },
    ): Promise<void> {
      await db.raw(
        `WITH gone AS (DELETE FROM pending_pushes WHERE id = ? AND fence = ? RETURNING id, accepted_at)
         UPDATE push_logs SET state = 'failed', reason = ?, detail = ?, attempts = ?, closed_at = now()
         WHERE (id, accepted_at) IN (SELECT id, accepted_at FROM gone)
           AND accepted_at = to_timestamp(?::float8 / 1000) AND closed_at IS NULL`,
        [id, fence, why.reason, why.detail, fence, acceptedAt],
      )
    },

    /** Whether the push log knows the push: one that is neither pending nor known was never ours. */
    async isLogged(id: string): Promise<boolean> {
      const row = await db('push_logs').first('id').where({ id })
      return row !== undefined
    },

    /** Rows somebody should look at; for a while no other node gets the same ones. */
    async due(limit: number): Promise<PendingPush[]> {
      const { rows } = await db.raw<{ rows: PendingPush[] }>(
        `WITH due AS (
           SELECT id FROM pending_pushes WHERE next_check_at <= now()
           ORDER BY next_check_at LIMIT ? FOR UPDATE SKIP LOCKED
         )
         UPDATE pending_pushes p
         SET next_check_at = least(${inMs}, greatest(expires_at, now() + interval '1 second'))
         FROM due WHERE p.id = due.id
         RETURNING ${PENDING.replace('id,', 'p.id,')}`,
        [limit, NEXT_CHECK_MS],
      )
      return rows
    },

    /** A job of the next generation is due. False: another node made it. */
    async renew(id: string, generation: number): Promise<boolean> {
      const { rowCount } = await db.raw<{ rowCount: number }>(
        'UPDATE pending_pushes SET generation = generation + 1 WHERE id = ? AND generation = ?',
        [id, generation],
      )
      return rowCount === 1
    },

    /** How many are open, and since when the oldest (ms since the epoch). */
    async backlog(): Promise<{ count: number; oldest?: number }> {
      const { rows } = await db.raw<{ rows: { count: number; oldest: Date | null }[] }>(
        'SELECT count(*)::int AS count, min(accepted_at) AS oldest FROM pending_pushes',
      )
      const [row] = rows
      return { count: row?.count ?? 0, ...(row?.oldest && { oldest: row.oldest.getTime() }) }
    },
  }
}
export type PendingPushStore = ReturnType<typeof createPendingPushStore>

async function requestHashes(db: Knex, ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await db('idempotency_keys').select('push_id', 'request_hash').whereIn('push_id', ids)
  return new Map(rows.map((row) => [String(row.push_id), String(row.request_hash)]))
}
