import type { Knex } from 'knex'
import { DAY } from '../lib/units.ts'
import { dayName, startOfDay } from './push-log-days.ts'

/** What has a partition for each day. Rows of a day without one are in `<table>_default`, and nobody misses anything. */
const TABLES = ['push_logs', 'push_attempts'] as const
type Table = (typeof TABLES)[number]

/** Any number; the same in every version, so that nodes take turns. */
const PARTITION_LOCK = 7_233_502
/**
 * Whoever waits for a lock holds up all who come later and want the same table: pushes must not stand behind a long read for
 * longer than this. What could not be done is done the next time.
 */
const LOCK_WAIT = '500ms'
/** Rows of one DELETE: a few milliseconds. */
const DELETE_BATCH = 5_000

/** The days of the push log: made ahead of time, dropped whole when they are too old. Any number of nodes may do it at once. */
export function createPushLogPartitionStore(db: Knex) {
  return {
    /**
     * Makes what is missing of the partitions of `days` days, beginning with the one that `from` belongs to (ms since the epoch).
     * Rows that came before their partition move into it. Returns the names of what it made.
     */
    async ensure(from: number, days: number): Promise<string[]> {
      const made: string[] = []
      for (const table of TABLES) {
        const existing = new Set(await partitionsOf(db, table))
        for (let day = startOfDay(from); day < startOfDay(from) + days * DAY; day += DAY) {
          const name = `${table}_${dayName(day)}`
          if (!existing.has(name) && (await makePartition(db, table, name, day))) made.push(name)
        }
      }
      return made
    },

    /** Takes away all days before the one that `time` belongs to (ms since the epoch). Returns the partitions it dropped. */
    async dropBefore(time: number): Promise<string[]> {
      const dropped: string[] = []
      for (const table of TABLES) {
        const oldest = `${table}_${dayName(time)}`
        for (const name of (await partitionsOf(db, table)).filter((own) => own < oldest)) {
          await alone(db, (transaction) => transaction.raw('DROP TABLE IF EXISTS ??', [name]))
          dropped.push(name)
        }
        await deleteBefore(db, table, startOfDay(time))
      }
      return dropped
    },
  }
}
export type PushLogPartitionStore = ReturnType<typeof createPushLogPartitionStore>

/** The names of the days that are there. */
async function partitionsOf(db: Knex, table: Table): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { name: string }[] }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
     WHERE inhparent = ?::regclass AND relname ~ ? ORDER BY relname`,
    [table, `^${table}_[0-9]{8}$`],
  )
  return rows.map(({ name }) => name)
}

/** One transaction of one node at a time, which gives up its place in the queue for a lock. */
const alone = <T>(db: Knex, work: (transaction: Knex.Transaction) => Promise<T>): Promise<T> =>
  db.transaction(async (transaction) => {
    await transaction.raw('SELECT pg_advisory_xact_lock(?)', [PARTITION_LOCK])
    await transaction.raw(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`)
    return work(transaction)
  })

/** More than there can be days made within one statement's time. */
const MAX_ROUTES = 5

/**
 * Writes rows of the log. When a day is made while a row is on its way to the default partition, it no longer belongs there, and
 * the same statement again finds the new partition. PostgreSQL calls it a check violation, and names no constraint.
 */
export async function untilRouted<T>(write: () => Promise<T>): Promise<T> {
  for (let route = 1; ; route += 1) {
    try {
      return await write()
    } catch (error) {
      const { code, constraint } = error as { code?: unknown; constraint?: unknown }
      const isDayMade = code === '23514' && constraint === undefined
      if (!isDayMade || route === MAX_ROUTES) throw error
    }
  }
}

/**
 * Attached, not made in place: CREATE TABLE ... PARTITION OF would lock the whole log, ATTACH PARTITION lets others read and
 * write it meanwhile. https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ATTACH-PARTITION
 */
const makePartition = (db: Knex, table: Table, name: string, day: number): Promise<boolean> =>
  alone(db, async (transaction) => {
    const { rows } = await transaction.raw<{ rows: { is_there: boolean }[] }>(
      'SELECT to_regclass(?) IS NOT NULL AS is_there',
      [name],
    )
    if (rows[0]?.is_there) return false
    const from = new Date(day).toISOString()
    const to = new Date(day + DAY).toISOString()
    const rest = `${table}_default`
    await transaction.raw(
      'CREATE TABLE ?? (LIKE ?? INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)',
      [name, table],
    )
    // From here on no row of the day can come into the default partition.
    await transaction.raw('LOCK TABLE ?? IN ACCESS EXCLUSIVE MODE', [rest])
    await transaction.raw(
      `WITH moved AS (DELETE FROM ?? WHERE accepted_at >= ? AND accepted_at < ? RETURNING *)
       INSERT INTO ?? SELECT * FROM moved`,
      [rest, from, to, name],
    )
    await transaction.raw(`ALTER TABLE ?? ATTACH PARTITION ?? FOR VALUES FROM ('${from}') TO ('${to}')`, [
      table,
      name,
    ])
    return true
  })

async function deleteBefore(db: Knex, table: Table, time: number): Promise<void> {
  const rest = `${table}_default`
  for (;;) {
    const { rowCount } = await db.raw<{ rowCount: number }>(
      'DELETE FROM ?? WHERE ctid = ANY (ARRAY (SELECT ctid FROM ?? WHERE accepted_at < ? LIMIT ?))',
      [rest, rest, new Date(time), DELETE_BATCH],
    )
    if (rowCount < DELETE_BATCH) return
  }
}
