import { runMigrations } from 'bullmq'
import pg from 'pg'

/** The tables of BullMQ's PostgreSQL backend, in a schema of their own. */
export const QUEUE_SCHEMA = 'bullmq'

export async function migrateQueue(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await runMigrations(client, QUEUE_SCHEMA)
  } finally {
    await client.end()
  }
}
