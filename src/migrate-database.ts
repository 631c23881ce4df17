import { migrateTables } from './db/migrate.ts'
import { migrateQueue } from './queue/migrate-queue.ts'

/** Everything the database needs: our tables and those of the queue. Safe to run on every start and from several nodes. */
export async function migrateDatabase(databaseUrl: string): Promise<string[]> {
  const applied = await migrateTables(databaseUrl)
  await migrateQueue(databaseUrl)
  return applied
}
