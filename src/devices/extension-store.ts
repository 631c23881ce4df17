import type { Knex } from 'knex'
import type { Extension, ExtensionChange } from './extension.ts'

export function createExtensionStore(db: Knex) {
  return {
    async find(tenantId: string, number: string): Promise<Extension | undefined> {
      const row = await selectExtensions(db).where({ tenant_id: tenantId, number }).first()
      return row && fromRow(row as ExtensionRow)
    },

    /** Those with a higher number than `after`, in the order of their numbers. */
    async list(
      tenantId: string,
      { after, limit }: { after?: string | undefined; limit: number },
    ): Promise<Extension[]> {
      const rows = await selectExtensions(db)
        .where({ tenant_id: tenantId })
        .where((later) => {
          if (after !== undefined) later.where('number', '>', after)
        })
        .orderBy('number')
        .limit(limit)
      return rows.map((row) => fromRow(row as ExtensionRow))
    },

    /** Creates the extension or changes what is given of it, whatever the licence says. */
    async put(tenantId: string, number: string, change: ExtensionChange): Promise<Extension> {
      const given = toColumns(change)
      const [row] = await db('extensions')
        .insert({ tenant_id: tenantId, number, ...given })
        .onConflict(['tenant_id', 'number'])
        .merge({ ...given, updated_at: db.fn.now() })
        .returning([...COLUMNS, HAS_PASSWORD(db)])
      return fromRow(row)
    },

    /** The hashes of those of them that have a password, by number. */
    async passwordHashes(tenantId: string, numbers: readonly string[]): Promise<Map<string, string>> {
      const rows = await db('extensions')
        .select('number', 'password_hash')
        .where({ tenant_id: tenantId })
        .whereRaw('number = ANY (?::text[])', [[...numbers]])
        .whereNotNull('password_hash')
      return new Map(rows.map((row) => [row.number, row.password_hash]))
    },
  }
}
export type ExtensionStore = ReturnType<typeof createExtensionStore>

export interface ExtensionRow {
  id: number
  number: string
  name: string
  email: string
  dnd: boolean
  follow_me_enabled: boolean
  follow_me_confirm: boolean
  follow_me_strategy: Extension['followMeStrategy']
  follow_me_destinations: Extension['followMeDestinations']
  has_password: boolean
  created_at: Date
  updated_at: Date
}

const COLUMNS = [
  'id',
  'number',
  'name',
  'email',
  'dnd',
  'follow_me_enabled',
  'follow_me_confirm',
  'follow_me_strategy',
  'follow_me_destinations',
  'created_at',
  'updated_at',
] as const
const HAS_PASSWORD = (db: Knex) => db.raw('password_hash IS NOT NULL AS has_password')

/** The hash itself stays in the database. */
export const selectExtensions = (db: Knex) => db('extensions').select(...COLUMNS, HAS_PASSWORD(db))

export const fromRow = (row: ExtensionRow): Extension => ({
  id: row.id,
  number: row.number,
  name: row.name,
  email: row.email,
  dnd: row.dnd,
  followMeEnabled: row.follow_me_enabled,
  followMeConfirm: row.follow_me_confirm,
  followMeStrategy: row.follow_me_strategy,
  followMeDestinations: row.follow_me_destinations,
  hasPassword: row.has_password,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

/** Only what is given. */
function toColumns(change: ExtensionChange): Record<string, unknown> {
  const columns = {
    name: change.name,
    email: change.email,
    dnd: change.dnd,
    follow_me_enabled: change.followMeEnabled,
    follow_me_confirm: change.followMeConfirm,
    follow_me_strategy: change.followMeStrategy,
    follow_me_destinations: change.followMeDestinations && JSON.stringify(change.followMeDestinations),
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}
