import { openDatabase } from './db/database.ts'
import { MIGRATION_MS, migrateTables } from './db/migrate.ts'
import { DAY } from './lib/units.ts'
import { DAYS_AHEAD } from './push/push-log-days.ts'
import { createPushLogPartitionStore } from './push/push-log-partition-store.ts'
import { migrateQueue } from './queue/migrate-queue.ts'

/** Everything the database needs: our tables and those of the queue. Safe to run on every start and from several nodes. */
export async function migrateDatabase(databaseUrl: string): Promise<string[]> {
  const applied = await migrateTables(databaseUrl)
  await makeDays(databaseUrl)
  await migrateQueue(databaseUrl)
  return applied
}

/** The days of the push log: workers make the next ones, but pushes may come before the first worker is there. */
async function makeDays(databaseUrl: string): Promise<void> {
  const db = openDatabase(databaseUrl, { poolSize: 1, queryMs: MIGRATION_MS })
  try {
    await createPushLogPartitionStore(db).ensure(Date.now() - DAY, DAYS_AHEAD + 2)
  } finally {
    await db.destroy()
  }
}
