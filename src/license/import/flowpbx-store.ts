import pg from 'pg'
import { StartError } from '../../lib/start-error.ts'
import { SECOND } from '../../lib/units.ts'

/** Rows of a batch: some hundred kilobytes at most times. */
const BATCH = 1_000
const CONNECT_MS = 10 * SECOND

/** A moment as the driver reads it: PostgreSQL also knows infinity, and days that JavaScript does not. */
export type Moment = Date | number | null

/** Rows of a FlowPBX gateway, as they are; nothing in them is taken for granted. */
export interface FlowpbxLicense {
  id: string
  key: string | null
  tier: string | null
  max_extensions: number | null
  expires_at: Moment
  created_at: Moment
}
export interface FlowpbxInstallation {
  id: string
  license_id: string | null
  instance_id: string | null
  /** From 2 on: an earlier row has this instance id, in other letters. */
  copy: number
  hostname: string | null
  version: string | null
  activated_at: Moment
  last_seen_at: Moment
}
export interface FlowpbxPushLog {
  id: string
  license_key: string | null
  platform: string | null
  call_id: string | null
  success: boolean | null
  error: string | null
  created_at: Moment
}

/** The columns that make a database one of FlowPBX's gateway. */
const COLUMNS = {
  licenses: ['id', 'key', 'tier', 'max_extensions', 'expires_at', 'created_at'],
  installations: ['id', 'license_id', 'instance_id', 'hostname', 'version', 'activated_at', 'last_seen_at'],
  push_logs: ['id', 'license_key', 'platform', 'call_id', 'success', 'error', 'created_at'],
} as const

/** What an import reads, all of it at one moment. */
export interface FlowpbxSource extends AsyncDisposable {
  licenses(): AsyncIterable<FlowpbxLicense[]>
  /** Licence by licence, and in each the one that was seen last comes first. */
  installations(): AsyncIterable<FlowpbxInstallation[]>
  /** Those from this moment on. */
  pushLogs(since: Date): AsyncIterable<FlowpbxPushLog[]>
  /** The UTC days that have any of those, as their first moments. */
  pushLogDays(since: Date): Promise<Date[]>
  countPushLogsBefore(since: Date): Promise<number>
}

/** Opens a FlowPBX gateway's database for reading. Throws a StartError, which never tells the password. */
export async function openFlowpbx(url: string): Promise<FlowpbxSource> {
  const client = createClient(url)
  const query = async <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> => {
    try {
      return (await client.query<Row>(text, values)).rows
    } catch (cause) {
      throw failure('the FlowPBX database cannot be read', cause)
    }
  }
  try {
    await client.connect().catch((cause: unknown) => {
      throw failure('the FlowPBX database cannot be reached', cause)
    })
    // One moment for all tables, and a promise that nothing is changed there, which the server keeps.
    await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await requireTables(query)
    return { ...readers(query), [Symbol.asyncDispose]: () => client.end() }
  } catch (error) {
    await client.end().catch(ignore)
    throw error
  }
}

type Query = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>

function createClient(url: string): pg.Client {
  if (!URL.canParse(url) || !['postgres:', 'postgresql:'].includes(new URL(url).protocol)) {
    throw new StartError('the DSN must be a URL like postgres://user:password@host:5432/database')
  }
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    application_name: 'wakeline import',
  })
  // A connection that breaks fails the query under way, and that one tells.
  client.on('error', ignore)
  return client
}

const ignore = (): void => undefined

const failure = (what: string, cause: unknown): StartError => {
  const code = (cause as { code?: unknown }).code
  return new StartError(`${what}${typeof code === 'string' ? ` (${code})` : ''}`, { cause })
}

async function requireTables(query: Query): Promise<void> {
  const rows = await query<{ name: string }>(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
     WHERE table_schema = ANY (current_schemas(false))`,
  )
  const there = new Set(rows.map(({ name }) => name))
  for (const [table, columns] of Object.entries(COLUMNS)) {
    const missing = columns.find((column) => !there.has(`${table}.${column}`))
    if (missing !== undefined) {
      throw new StartError(`this is no database of a FlowPBX gateway: it has no ${table}.${missing}`)
    }
  }
}

function readers(query: Query): Omit<FlowpbxSource, typeof Symbol.asyncDispose> {
  return {
    licenses: () => batches(query, `SELECT ${COLUMNS.licenses.join(', ')} FROM licenses ORDER BY id`),
    installations: () =>
      batches(
        query,
        `SELECT ${COLUMNS.installations.join(', ')},
           row_number() OVER (PARTITION BY lower(instance_id) ORDER BY id)::int AS copy
         FROM installations ORDER BY license_id, last_seen_at DESC NULLS LAST, id DESC`,
      ),
    pushLogs: (since) =>
      batches(
        query,
        `SELECT ${COLUMNS.push_logs.join(', ')} FROM push_logs
         WHERE created_at >= ${moment(since)} OR created_at IS NULL ORDER BY id`,
      ),
    async pushLogDays(since) {
      const rows = await query<{ day: Date }>(
        `SELECT DISTINCT date_trunc('day', created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS day FROM push_logs
         WHERE created_at >= $1 AND created_at < 'infinity' ORDER BY day`,
        [since],
      )
      return rows.map(({ day }) => day)
    },
    async countPushLogsBefore(since) {
      const sql = 'SELECT count(*)::float8 AS count FROM push_logs WHERE created_at < $1'
      const [row] = await query<{ count: number }>(sql, [since])
      return row?.count ?? 0
    },
  }
}

/** A cursor takes no parameters. */
const moment = (time: Date): string => `'${time.toISOString()}'::timestamptz`

/** Reads a result of any size with the memory of one batch. One at a time. */
async function* batches<Row extends object>(query: Query, sql: string): AsyncGenerator<Row[]> {
  await query(`DECLARE wakeline_import NO SCROLL CURSOR FOR ${sql}`)
  for (;;) {
    const rows = await query<Row>(`FETCH ${BATCH} FROM wakeline_import`)
    if (rows.length > 0) yield rows
    if (rows.length < BATCH) break
  }
  await query('CLOSE wakeline_import')
}
