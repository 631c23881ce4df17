import { Client } from 'pg'
import { migrateDatabase } from '../../src/migrate-database.ts'
import { databaseUrl, TEMPLATE } from './databases.ts'

/** Migrates once; every test database is then a copy of files. */
export async function createTemplate(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query(`CREATE DATABASE ${TEMPLATE} OWNER wakeline`)
    await migrateDatabase(databaseUrl(adminUrl, TEMPLATE))
    // A database can only be copied while nobody is connected to it. From here on nobody can be.
    await client.query(`ALTER DATABASE ${TEMPLATE} ALLOW_CONNECTIONS false`)
  } finally {
    await client.end()
  }
}
