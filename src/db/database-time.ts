import type { Knex } from 'knex'

/** What time it is for the database, in milliseconds since the epoch: the one clock that all nodes can look at. */
export async function readDatabaseTime(db: Knex): Promise<number> {
  const { rows } = await db.raw<{ rows: { ms: number }[] }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
  )
  const [row] = rows
  if (!row) throw new Error('the database does not say what time it is')
  return row.ms
}
