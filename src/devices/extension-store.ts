import type { Knex } from 'knex'

export interface Extension {
  id: number
  number: string
  name: string
  dnd: boolean
}

export function createExtensionStore(db: Knex) {
  return {
    async find(tenantId: string, number: string): Promise<Extension | undefined> {
      return db<Extension & { tenant_id: string }>('extensions')
        .first('id', 'number', 'name', 'dnd')
        .where({ tenant_id: tenantId, number })
    },

    /** Creates the extension or changes what is given of it. */
    async put(
      tenantId: string,
      number: string,
      change: { name?: string | undefined; dnd?: boolean | undefined },
    ): Promise<Extension> {
      const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
      const [row] = await db('extensions')
        .insert({ tenant_id: tenantId, number, ...given })
        .onConflict(['tenant_id', 'number'])
        .merge({ ...given, updated_at: db.fn.now() })
        .returning(['id', 'number', 'name', 'dnd'])
      return row as Extension
    },
  }
}
export type ExtensionStore = ReturnType<typeof createExtensionStore>
