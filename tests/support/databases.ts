import { randomBytes } from 'node:crypto'
import { Client } from 'pg'

export const TEMPLATE = 'wakeline_template'

export interface TestDatabase extends AsyncDisposable {
  url: string
  drop(): Promise<void>
}

/** A database of its own with all migrations done, owned by the role the product runs as. */
export async function cloneDatabase(): Promise<TestDatabase> {
  const name = `t_${randomBytes(8).toString('hex')}`
  // Copying its files is ten times as fast as writing all of it to the log first, which nobody will ever replay.
  await asSuperuser(`CREATE DATABASE ${name} OWNER wakeline TEMPLATE ${TEMPLATE} STRATEGY FILE_COPY`)
  const drop = async () => {
    await asSuperuser(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }
  return { url: databaseUrl(sharedPostgresUrl(), name), drop, [Symbol.asyncDispose]: drop }
}

/** The same server, as the role the product runs as; role and superuser have the same password. */
export function databaseUrl(adminUrl: string, database: string): string {
  const url = new URL(adminUrl)
  url.username = 'wakeline'
  url.pathname = `/${database}`
  return url.href
}

/** The rows of one statement, over a connection of its own. */
export async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  // A server that goes away says so on every connection, also after the query's answer.
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query(text)
    return rows
  } finally {
    await client.end()
  }
}

/** The PostgreSQL of the whole run, as superuser. */
function sharedPostgresUrl(): string {
  const url = process.env.WAKELINE_TEST_POSTGRES
  if (!url) throw new Error('WAKELINE_TEST_POSTGRES is not set: the global set-up has not run')
  return url
}

const asSuperuser = (statement: string) => query(sharedPostgresUrl(), statement)
