import { Client, DatabaseError } from 'pg'
import { StartError } from '../lib/start-error.ts'

/** Both the role Wakeline logs in as and the database it owns. It is no superuser: it need not read files. */
export const WAKELINE = 'wakeline'

const INVALID_PASSWORD = '28P01'

/** Creates role and database where they are missing, so a first start may be interrupted anywhere. */
export async function ensureDatabase(
  adminUrl: string,
  password: string,
  passwordFile: string,
): Promise<void> {
  const client = new Client({ connectionString: adminUrl })
  try {
    await client.connect()
    const roles = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [WAKELINE])
    if (roles.rowCount === 0) {
      await client.query(`CREATE ROLE ${WAKELINE} LOGIN PASSWORD ${client.escapeLiteral(password)}`)
    }
    const databases = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [WAKELINE])
    if (databases.rowCount === 0) await client.query(`CREATE DATABASE ${WAKELINE} OWNER ${WAKELINE}`)
  } catch (cause) {
    if (!(cause instanceof DatabaseError) || cause.code !== INVALID_PASSWORD) throw cause
    throw new StartError(
      `The password in ${passwordFile} is not the one this database was made with: restore that file.`,
      { cause },
    )
  } finally {
    await client.end()
  }
}
