import type { Knex } from 'knex'
import { DAY } from '../lib/units.ts'
import type { Push } from './push.ts'
import { recentFirst } from './push-log-days.ts'
import { untilRouted } from './push-log-partition-store.ts'
import {
  ATTEMPT_COLUMNS,
  ATTEMPT_RECORD,
  ROW_COLUMNS,
  ROW_RECORD,
  resultColumns,
  setResult,
  toAttemptRow,
  toRow,
} from './push-log-row.ts'
import { type PushAttemptRow, type PushRecord, toAttempt, toRecord } from './push-record.ts'
import { because, type PushAttempt, type PushResult } from './push-result.ts'
import { selectPushes } from './push-search-store.ts'

/** What nobody has closed for so long was looked at many times; each day more is a partition more to lock. */
const STALE_REACH_MS = 40 * DAY

/**
 * One row per push. Whole batches travel as one JSON parameter: one plan, one round trip, one commit.
 *
 * @param keptDays how far back the log goes; the default of PUSH_LOG_DAYS if absent
 */
export function createPushLogStore(db: Knex, keptDays = 30) {
  const insert = (statement: string, rows: readonly object[]): Promise<void> => {
    const json = JSON.stringify(rows)
    return untilRouted(async () => db.raw(statement, [json]))
  }
  return {
    /** A row that is already there stays as it is: a fast worker may have closed it. */
    async open(pushes: readonly Push[]): Promise<void> {
      await insert(
        `INSERT INTO push_logs (${ROW_COLUMNS})
         SELECT ${ROW_COLUMNS} FROM json_to_recordset(?::json) AS r (${ROW_RECORD})
         ON CONFLICT (id, accepted_at) DO NOTHING`,
        pushes.map((push) => toRow(push)),
      )
    },

    /** Closes each push once; a row that nobody opened is written whole. Terminal rows never change again. */
    async close(ended: readonly { push: Push; result: PushResult }[]): Promise<void> {
      // A statement may touch a row only once; the first end of a push is the one that counts.
      const first = new Map<string, object>()
      for (const { push, result } of ended) {
        if (!first.has(push.id)) first.set(push.id, toRow(push, result))
      }
      await insert(
        `INSERT INTO push_logs (${ROW_COLUMNS})
         SELECT ${ROW_COLUMNS} FROM json_to_recordset(?::json) AS r (${ROW_RECORD})
         ON CONFLICT (id, accepted_at) DO UPDATE SET ${setResult('excluded')}
         WHERE push_logs.closed_at IS NULL`,
        [...first.values()],
      )
    },

    /** Keeps tries that were not accepted. Writing one again does nothing. */
    async addAttempts(tried: readonly { push: Push; attempt: PushAttempt }[]): Promise<void> {
      await insert(
        `INSERT INTO push_attempts (${ATTEMPT_COLUMNS})
         SELECT ${ATTEMPT_COLUMNS} FROM json_to_recordset(?::json) AS r (${ATTEMPT_RECORD})
         ON CONFLICT DO NOTHING`,
        tried.map(({ push, attempt }) => toAttemptRow(push, attempt)),
      )
    },

    /**
     * Ids of open pushes that nobody will close any more. Rows another node is looking at are left out, and so are those the
     * messages lane still owes: it ends them itself.
     */
    async stale(expiredBefore: number, limit: number): Promise<string[]> {
      const { rows } = await db.raw<{ rows: { id: string }[] }>(
        `SELECT id FROM push_logs
         WHERE closed_at IS NULL AND expires_at < ? AND accepted_at >= ?
           AND NOT EXISTS (SELECT FROM pending_pushes WHERE pending_pushes.id = push_logs.id)
         ORDER BY expires_at LIMIT ? FOR UPDATE OF push_logs SKIP LOCKED`,
        [new Date(expiredBefore), new Date(expiredBefore - STALE_REACH_MS), limit],
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
        `UPDATE push_logs SET ${setResult('r')}
         FROM json_to_recordset(?::json) AS r (${ROW_RECORD})
         WHERE push_logs.id = r.id AND push_logs.closed_at IS NULL AND push_logs.expires_at < ? AND push_logs.accepted_at >= ?`,
        [JSON.stringify(rows), new Date(now), new Date(now - STALE_REACH_MS)],
      )
      return rowCount
    },

    /** A push of this tenant. An idempotency key may come back after its day; then the newest is meant. */
    async find(tenantId: string, id: string): Promise<PushRecord | undefined> {
      for (const stretch of recentFirst(keptDays)) {
        const [row] = await selectPushes(db, { id, tenantId }, stretch, 1)
        if (row) return toRecord(row)
      }
      return undefined
    },

    /** The tries of a push that were not accepted, in the order in which they left. */
    async attemptsOf({ id, acceptedAt }: Pick<PushRecord, 'id' | 'acceptedAt'>): Promise<PushAttempt[]> {
      const rows = await db('push_attempts')
        .select<PushAttemptRow[]>()
        .where({ push_id: id, accepted_at: new Date(acceptedAt) })
        .orderBy('sent_at')
      return rows.map(toAttempt)
    },
  }
}
export type { PushRecord }
export type PushLogStore = ReturnType<typeof createPushLogStore>
