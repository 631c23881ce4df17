import type { Knex } from 'knex'
import { ENDED_COLUMNS, silencePhones } from './ended-session-store.ts'
import type { Extension, ExtensionChange } from './extension.ts'
import { type ExtensionRow, fromRow, selectExtensions } from './extension-store.ts'

/** What becomes of one extension: it is made where there is none of this number. */
export interface ExtensionWrite extends ExtensionChange {
  number: string
  /** A new one: whoever is logged in with the old one is out. */
  passwordHash?: string | undefined
}

export type ExtensionWritten =
  | { status: 'created' | 'updated' | 'unchanged'; extension: Extension }
  | { status: 'refused'; inUse: number; limit: number }

export interface WriteOptions {
  /** How many extensions the tenant may have; asked only when there are new ones. */
  limit(): Promise<number>
  now: Date
  /** Only says what would be. New extensions have the id 0 then. */
  dryRun?: boolean | undefined
}

export function createExtensionBatchStore(db: Knex) {
  return {
    /** In their order and each judged by itself, yet stored all or none. */
    async write(
      tenantId: string,
      writes: readonly ExtensionWrite[],
      options: WriteOptions,
    ): Promise<ExtensionWritten[]> {
      const numbers = [...new Set(writes.map(({ number }) => number))]
      for (;;) {
        const known = await ofNumbers(db, tenantId, numbers)
        const limit = known.length < numbers.length ? await options.limit() : undefined
        const written = await db.transaction((trx) =>
          write(trx, tenantId, writes, { ...options, limit, numbers }),
        )
        // Otherwise one was removed in between, and the limit has to be known.
        if (written) return written
      }
    },
  }
}
export type ExtensionBatchStore = ReturnType<typeof createExtensionBatchStore>

async function write(
  trx: Knex,
  tenantId: string,
  writes: readonly ExtensionWrite[],
  {
    limit,
    numbers,
    now,
    dryRun,
  }: Omit<WriteOptions, 'limit'> & { limit: number | undefined; numbers: string[] },
): Promise<ExtensionWritten[] | undefined> {
  // One after the other, or two would both take the last place; whoever only refers to the tenant goes on.
  if (limit !== undefined) await trx('tenants').where({ id: tenantId }).forNoKeyUpdate().select('id')
  const locked = await ofNumbers(trx, tenantId, numbers).forNoKeyUpdate()
  if (limit === undefined && locked.length < numbers.length) return undefined
  const inUse = limit === undefined ? 0 : await countOf(trx, tenantId)
  const drafts = locked.map((row) => [row.number, { extension: fromRow(row) }] as const)
  const plan = judge(new Map(drafts), writes, { inUse, limit: limit ?? 0, now })
  const changed = [...plan.drafts].filter(([, draft]) => draft.isChanged)
  const stored = dryRun ? undefined : await store(trx, tenantId, changed, now)
  return plan.results.map((result, index): ExtensionWritten => {
    const extension = stored?.get(writes[index]?.number ?? '')
    return result.status === 'refused' || !extension ? result : { ...result, extension }
  })
}

interface Draft {
  extension: Extension
  passwordHash?: string | undefined
  isChanged?: boolean
}

/** In one order for all, so that two batches do not wait for each other. */
const ofNumbers = (db: Knex, tenantId: string, numbers: readonly string[]) =>
  selectExtensions(db)
    .where({ tenant_id: tenantId })
    .whereRaw('number = ANY (?::text[])', [[...numbers]])
    .orderBy('id') as Knex.QueryBuilder<ExtensionRow, ExtensionRow[]>

async function countOf(db: Knex, tenantId: string): Promise<number> {
  const [row] = await db('extensions').where({ tenant_id: tenantId }).count<{ count: number }[]>('* as count')
  return row?.count ?? 0
}

/** What each write does, and what the extensions are after all of them. */
function judge(
  drafts: Map<string, Draft>,
  writes: readonly ExtensionWrite[],
  { inUse, limit, now }: { inUse: number; limit: number; now: Date },
) {
  let count = inUse
  const results = writes.map(({ number, passwordHash, ...change }): ExtensionWritten => {
    const draft = drafts.get(number)
    if (!draft && count >= limit) return { status: 'refused', inUse: count, limit }
    if (!draft) count += 1
    const before = draft?.extension ?? { ...NEW, number, createdAt: now, updatedAt: now }
    const after = {
      ...before,
      ...given(change),
      hasPassword: before.hasPassword || passwordHash !== undefined,
    }
    if (draft && passwordHash === undefined && isSame(before, after))
      return { status: 'unchanged', extension: before }
    const hash = passwordHash ?? draft?.passwordHash
    drafts.set(number, { extension: after, passwordHash: hash, isChanged: true })
    return { status: draft ? 'updated' : 'created', extension: after }
  })
  return { drafts, results }
}

const NEW = {
  id: 0,
  name: '',
  email: '',
  dnd: false,
  followMeEnabled: false,
  followMeConfirm: false,
  followMeStrategy: 'sequential',
  followMeDestinations: [],
  hasPassword: false,
} as const satisfies Partial<Extension>

const given = (change: ExtensionChange): Partial<Extension> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))

const isSame = (one: Extension, other: Extension): boolean =>
  JSON.stringify(plain(one)) === JSON.stringify(plain(other))
/** PostgreSQL gives the keys of JSON in an order of its own. */
const plain = (extension: Extension) => ({
  ...extension,
  followMeDestinations: extension.followMeDestinations.map(({ number, delay, timeout }) => [
    number,
    delay,
    timeout,
  ]),
})

const SETTABLE = {
  name: 'text',
  email: 'text',
  dnd: 'boolean',
  follow_me_enabled: 'boolean',
  follow_me_confirm: 'boolean',
  follow_me_strategy: 'text',
  follow_me_destinations: 'jsonb',
} as const
const LIST = Object.keys(SETTABLE).join(', ')
const TYPES = Object.entries(SETTABLE)
  .map(([column, type]) => `${column} ${type}`)
  .join(', ')
const MERGE = Object.keys(SETTABLE)
  .map((column) => `${column} = excluded.${column}`)
  .join(', ')

/** The changed ones as they are stored now, by number. */
async function store(
  trx: Knex,
  tenantId: string,
  changed: readonly (readonly [string, Draft])[],
  now: Date,
): Promise<Map<string, Extension>> {
  if (changed.length === 0) return new Map()
  const rows = changed.map(([number, { extension, passwordHash }]) => toRow(number, extension, passwordHash))
  await trx.raw(
    `INSERT INTO extensions AS e (tenant_id, number, password_hash, password_changed_at, ${LIST})
     SELECT ?, number, password_hash, CASE WHEN password_hash IS NOT NULL THEN ?::timestamptz END, ${LIST}
     FROM jsonb_to_recordset(?) AS new (number text, password_hash text, ${TYPES})
     ON CONFLICT (tenant_id, number) DO UPDATE SET ${MERGE}, updated_at = now(),
       password_hash = coalesce(excluded.password_hash, e.password_hash),
       password_changed_at = coalesce(excluded.password_changed_at, e.password_changed_at)`,
    [tenantId, now, JSON.stringify(rows)],
  )
  const stored = await ofNumbers(
    trx,
    tenantId,
    changed.map(([number]) => number),
  )
  const withNewPassword = new Set(
    changed.flatMap(([number, { passwordHash }]) => (passwordHash ? number : [])),
  )
  const ids = stored.filter(({ number }) => withNewPassword.has(number)).map(({ id }) => id)
  const ended = trx('app_sessions')
    .where({ tenant_id: tenantId })
    .whereIn('extension_id', ids)
    .whereNull('revoked_at')
    .update({ revoked_at: now, revoked_why: 'password' })
  await silencePhones(trx, await ended.returning(ENDED_COLUMNS))
  return new Map(stored.map((row) => [row.number, fromRow(row)]))
}

const toRow = (number: string, extension: Extension, passwordHash: string | undefined) => ({
  number,
  password_hash: passwordHash ?? null,
  name: extension.name,
  email: extension.email,
  dnd: extension.dnd,
  follow_me_enabled: extension.followMeEnabled,
  follow_me_confirm: extension.followMeConfirm,
  follow_me_strategy: extension.followMeStrategy,
  follow_me_destinations: extension.followMeDestinations,
})
