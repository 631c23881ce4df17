import type { Knex } from 'knex'
import type { CallRecord } from './call-record.ts'
import { type CallRecordRow, fromRow, ROW_COLUMNS } from './call-record-row.ts'

/** A place in a history: that of its last entry. */
export interface CallPlace {
  /** Milliseconds since the epoch. */
  startTime: number
  id: number
}

export interface HistoryQuery {
  limit: number
  offset: number
  after?: CallPlace | undefined
  /** Calls that began at this moment or later; milliseconds since the epoch. */
  since?: number | undefined
}

export interface HistoryPage {
  calls: (CallRecord & { id: number })[]
  /** All of them, on whatever page. */
  total: number
  hasMore: boolean
}

/** Who called whom, as the extensions of a tenant are shown it. */
export function createCallHistoryStore(db: Knex) {
  return {
    /** The calls that the extension made or got, newest first. */
    async page(tenantId: string, extension: string, query: HistoryQuery): Promise<HistoryPage> {
      const { limit, offset, after, since } = query
      const party = [tenantId, extension]
      const from = since === undefined ? [] : [new Date(since)]
      const fromSql = since === undefined ? '' : 'AND start_time >= ?'
      // Without a beginning the sum is kept, because counting takes as long as the history is.
      const total =
        since === undefined
          ? 'SELECT calls FROM call_party_counts WHERE tenant_id = ? AND party = ?'
          : `SELECT count(*) FROM call_record_parties WHERE tenant_id = ? AND party = ? ${fromSql}`
      // One statement, so that the total is that of the same moment.
      const { rows } = await db.raw<{ rows: Row[] }>(
        `SELECT all_calls.total, r.id, ${COLUMNS}
         FROM (SELECT coalesce((${total}), 0) AS total) AS all_calls
         LEFT JOIN (
           SELECT record_id FROM call_record_parties
           WHERE tenant_id = ? AND party = ? ${fromSql} ${after ? 'AND (start_time, record_id) < (?, ?)' : ''}
           ORDER BY start_time DESC, record_id DESC
           LIMIT ? OFFSET ?
         ) AS p ON true
         LEFT JOIN call_records r ON r.id = p.record_id
         ORDER BY r.start_time DESC, r.id DESC`,
        [
          ...party,
          ...from,
          ...party,
          ...from,
          ...(after ? [new Date(after.startTime), after.id] : []),
          limit + 1,
          offset,
        ] as Knex.RawBinding[],
      )
      const calls = rows.flatMap((row) => (row.id === null ? [] : [{ id: row.id, ...fromRow(row) }]))
      return { calls: calls.slice(0, limit), total: rows[0]?.total ?? 0, hasMore: calls.length > limit }
    },
  }
}
export type CallHistoryStore = ReturnType<typeof createCallHistoryStore>

const COLUMNS = ROW_COLUMNS.map((column) => `r.${column}`).join(', ')
type Row = CallRecordRow & { total: number; id: number | null }
