import type { Knex } from 'knex'
import { migrations } from '../../migrations/index.ts'
import { HOUR } from '../lib/units.ts'
import { openDatabase } from './database.ts'

/** Any number; the same in every version, so that two nodes starting at once take turns. */
const MIGRATION_LOCK = 7_233_501

/** An index on a large table takes its time. */
export const MIGRATION_MS = HOUR

const source: Knex.MigrationSource<keyof typeof migrations> = {
  getMigrations: async () => Object.keys(migrations) as (keyof typeof migrations)[],
  getMigrationName: (name) => name,
  getMigration: async (name) => migrations[name],
}
const config: Knex.MigratorConfig = { migrationSource: source, tableName: 'migrations' }

/** Brings our tables to the newest version; returns what was applied. */
export async function migrateTables(databaseUrl: string): Promise<string[]> {
  return withMigrator(databaseUrl, async (db) => {
    const [, applied] = await db.migrate.latest(config)
    return applied as string[]
  })
}

/** Takes all our tables away again; for tests of `down`. */
export async function revertTables(databaseUrl: string): Promise<void> {
  await withMigrator(databaseUrl, (db) => db.migrate.rollback(config, true))
}

async function withMigrator<T>(databaseUrl: string, work: (db: Knex) => Promise<T>): Promise<T> {
  const db = openDatabase(databaseUrl, { poolSize: 2, queryMs: MIGRATION_MS })
  try {
    return await db.transaction(async (lock) => {
      await lock.raw('SELECT pg_advisory_xact_lock(?)', [MIGRATION_LOCK])
      // Knex marks its own lock in a table, and a killed migrator leaves it set; ours ends with the connection.
      await db.migrate.forceFreeMigrationsLock(config)
      return work(db)
    })
  } finally {
    await db.destroy()
  }
}
