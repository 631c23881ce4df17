import type { Knex } from 'knex'
import { SECOND } from '../lib/units.ts'
import type { PushState } from './push.ts'
import type { PushKind } from './push-kinds.ts'
import { recentFirst, type Stretch, stretchesBack } from './push-log-days.ts'
import { type PushLogRow, type PushRecord, toRecord } from './push-record.ts'

/** What an operator looks for; every part that is given must hold. Times are milliseconds since the epoch. */
export interface PushFilter extends Stretch {
  id?: string
  callId?: string
  /** Of a chat message. */
  messageId?: string
  extension?: string
  tokenHash?: string
  licenseId?: string
  tenantId?: string
  state?: PushState
  kind?: PushKind
}

/** Where a page of the log ends. Pushes have an order, newest first, in which no two are at the same place. */
export type PushPlace = Pick<PushRecord, 'acceptedAt' | 'id'>

export interface PushPage {
  pushes: PushRecord[]
  /** Absent on the last page. */
  next?: PushPlace
}

/** Who searches would rather ask for less than wait longer, and the database has pushes to write. */
export const SEARCH_MS = 3 * SECOND

/** Few pushes match, and too many had to be looked at to find them. */
export class SearchTooLong extends Error {
  override readonly name = 'SearchTooLong'
  constructor() {
    super(`the search took longer than ${SEARCH_MS / SECOND} s: narrow it with from and to`)
  }
}

/**
 * The push log as operators search it, over all tenants. Both ways throw SearchTooLong.
 *
 * @param keptDays how far back the log goes
 */
export function createPushSearchStore(db: Knex, keptDays: number) {
  return {
    /** The newest pushes that match, of those after `after`. */
    async search(filter: PushFilter, limit: number, after?: PushPlace): Promise<PushPage> {
      // One more than asked for tells whether there is another page.
      const found: PushLogRow[] = []
      const end = performance.now() + SEARCH_MS
      for (const stretch of stretchesBack(keptDays, boundsOf(filter, after))) {
        const missing = limit + 1 - found.length
        found.push(
          ...(await until(db, end, (limited) => selectPushes(limited, filter, stretch, missing, after))),
        )
        if (found.length > limit) break
      }
      const pushes = found.slice(0, limit).map(toRecord)
      const last = pushes.at(-1)
      const next = found.length > limit && last && { acceptedAt: last.acceptedAt, id: last.id }
      return { pushes, ...(next && { next }) }
    },

    async find(id: string): Promise<PushRecord | undefined> {
      const end = performance.now() + SEARCH_MS
      for (const stretch of recentFirst(keptDays)) {
        const [row] = await until(db, end, (limited) => selectPushes(limited, { id }, stretch, 1))
        if (row) return toRecord(row)
      }
      return undefined
    },
  }
}
export type PushSearchStore = ReturnType<typeof createPushSearchStore>

/** A transaction each, because its locks last as long as it does. */
async function until<T>(db: Knex, end: number, select: (limited: Knex) => Promise<T>): Promise<T> {
  const left = Math.ceil(end - performance.now())
  if (left <= 0) throw new SearchTooLong()
  try {
    return await db.transaction(
      async (limited) => {
        await limited.raw(`SET LOCAL statement_timeout = ${left}`)
        return select(limited)
      },
      { readOnly: true },
    )
  } catch (error) {
    // query_canceled: https://www.postgresql.org/docs/current/errcodes-appendix.html
    throw (error as { code?: unknown }).code === '57014' ? new SearchTooLong() : error
  }
}

/** The rows of `after` itself and those beside it in the same millisecond are told apart by their ids. */
const boundsOf = (
  { from, to = Number.POSITIVE_INFINITY }: PushFilter,
  after: PushPlace | undefined,
): Stretch => {
  const end = Math.min(to, after ? after.acceptedAt + 1 : to)
  return { ...(from !== undefined && { from }), ...(Number.isFinite(end) && { to: end }) }
}

/** Newest first. The stretch takes the place of the filter's own. */
export async function selectPushes(
  db: Knex,
  filter: PushFilter,
  { from, to }: Stretch,
  limit: number,
  after?: PushPlace,
): Promise<PushLogRow[]> {
  const wanted = Object.entries({
    id: filter.id,
    call_id: filter.callId,
    message_id: filter.messageId,
    extension: filter.extension,
    license_id: filter.licenseId,
    tenant_id: filter.tenantId,
    state: filter.state,
    kind: filter.kind,
  }).filter(([, value]) => value !== undefined)
  const query = db<PushLogRow>('push_logs').select().where(Object.fromEntries(wanted))
  if (filter.tokenHash !== undefined) {
    // The index has the short hash of the hash.
    query.whereRaw('hashtext(token_hash) = hashtext(?) AND token_hash = ?', [
      filter.tokenHash,
      filter.tokenHash,
    ])
  }
  // The index begins with the tenant, and a licence has one.
  if (filter.licenseId !== undefined) {
    query.where('tenant_id', db('licenses').select('tenant_id').where({ id: filter.licenseId }))
  }
  // Bounds of the plain column let the planner leave partitions out.
  if (from !== undefined) query.where('accepted_at', '>=', new Date(from))
  if (to !== undefined) query.where('accepted_at', '<', new Date(to))
  if (after) query.whereRaw('(accepted_at, id) < (?, ?)', [new Date(after.acceptedAt), after.id])
  return query
    .orderBy([
      { column: 'accepted_at', order: 'desc' },
      { column: 'id', order: 'desc' },
    ])
    .limit(limit)
}
