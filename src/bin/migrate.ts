import { loadConfig } from '../config/config.ts'
import { readEnv } from '../config/env.ts'
import { runOnce } from '../lib/run-program.ts'
import { StartError } from '../lib/start-error.ts'
import { migrateDatabase } from '../migrate-database.ts'

/** Brings the database of a cluster to this version, then ends. */
await runOnce(async () => {
  const { secrets } = loadConfig(readEnv(), 'cluster')
  if (!secrets.databaseUrl) throw new StartError('there is no database: set DATABASE_URL')
  const applied = await migrateDatabase(secrets.databaseUrl)
  console.log(applied.length > 0 ? `applied ${applied.join(', ')}` : 'the database is up to date')
})
