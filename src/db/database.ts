import knex, { type Knex } from 'knex'
import pg from 'pg'

/** node-postgres gives bigint as text; our counts and ids stay far below 2^53 and must be JSON numbers. */
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 && format !== 'binary'
      ? Number
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

/** A pool of connections to PostgreSQL; a transaction of it is a Knex, too. */
export function openDatabase(url: string, options: { poolSize?: number } = {}): Knex {
  return knex({
    client: 'pg',
    // A query that takes longer than this will not be used by anyone any more.
    connection: {
      connectionString: url,
      types,
      statement_timeout: 10_000,
      application_name: 'wakeline',
    } as Knex.PgConnectionConfig,
    pool: { min: 0, max: options.poolSize ?? 10 },
    acquireConnectionTimeout: 2_000,
  })
}
