import type { Secrets } from '../config/config.ts'
import { StartError } from '../lib/start-error.ts'
import { migrateDatabase } from '../migrate-database.ts'
import type { DataDirectory } from './data-directory.ts'
import { keptMasterKey } from './master-key.ts'
import { type PostgresServer, startPostgresServer } from './postgres-server.ts'

export interface Stores {
  databaseUrl: string
  masterKey: Uint8Array
  /** Absent with a database of somebody else. */
  postgres?: PostgresServer
}

/** The database, at this version, and the secret it was written with: given, or our own in the data directory. */
export async function openStores(
  given: Secrets,
  directory: DataDirectory,
  opened: AsyncDisposableStack,
): Promise<Stores> {
  const masterKey = given.masterKey ?? (await keptMasterKey(directory))
  if (given.databaseUrl !== undefined) {
    await migrateDatabase(given.databaseUrl).catch(explain)
    return { databaseUrl: given.databaseUrl, masterKey }
  }
  const postgres = opened.use(await startPostgresServer({ directory, durability: 'safe' }))
  await migrateDatabase(postgres.url)
  return { databaseUrl: postgres.url, masterKey, postgres }
}

/** Node's and PostgreSQL's codes for a server that is not there or does not let us in. */
const UNREACHABLE = /^(E[A-Z]+|28\w{3}|3D000|57P03|53300)$/

function explain(cause: unknown): never {
  const { code, message } = cause as { code?: string; message?: string }
  const isUnreachable = UNREACHABLE.test(code ?? '') || /Timeout acquiring a connection/.test(message ?? '')
  if (!isUnreachable) throw cause
  throw new StartError(
    `The database at DATABASE_URL cannot be used (${code ?? 'it does not answer'}): is it running, and is the URL right?`,
    { cause },
  )
}
