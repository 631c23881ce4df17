import knex, { type Knex } from 'knex'
import pg from 'pg'

/** node-postgres gives bigint as text; our counts and ids stay far below 2^53 and must be JSON numbers. */
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 && format !== 'binary'
      ? Number
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

export interface DatabaseOptions {
  poolSize?: number
  /** Milliseconds for one query; who asked has given up by then. */
  queryMs?: number
}

/** A pool of connections to PostgreSQL; a transaction of it is a Knex, too. */
export function openDatabase(url: string, { poolSize = 10, queryMs = 5_000 }: DatabaseOptions = {}): Knex {
  return knex({
    client: 'pg',
    connection: {
      connectionString: url,
      types,
      // The server's own limit frees its locks; ours ends the wait for a server that hangs and cannot keep its limit.
      statement_timeout: queryMs,
      query_timeout: queryMs,
      application_name: 'wakeline',
    } as Knex.PgConnectionConfig,
    pool: { min: 0, max: poolSize },
    acquireConnectionTimeout: 2_000,
    // Whoever asked gets every failure as a rejection; Knex would print it to standard output as well, outside of our log.
    log: { warn: ignore, error: ignore, deprecate: ignore, debug: ignore },
  })
}

const ignore = (): void => undefined
