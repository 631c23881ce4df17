import type { Knex } from 'knex'

export interface Extension {
  id: number
  number: string
  name: string
  dnd: boolean
}

type Change = { name?: string | undefined; dnd?: boolean | undefined }
const COLUMNS = ['id', 'number', 'name', 'dnd'] as const
const given = (change: Change) =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))

export function createExtensionStore(db: Knex) {
  const put = async (trx: Knex, tenantId: string, number: string, change: Change): Promise<Extension> => {
    const [row] = await trx('extensions')
      .insert({ tenant_id: tenantId, number, ...given(change) })
      .onConflict(['tenant_id', 'number'])
      .merge({ ...given(change), updated_at: trx.fn.now() })
      .returning([...COLUMNS])
    return row as Extension
  }
  return {
    async find(tenantId: string, number: string): Promise<Extension | undefined> {
      return db<Extension & { tenant_id: string }>('extensions')
        .first('id', 'number', 'name', 'dnd')
        .where({ tenant_id: tenantId, number })
    },

    /** Creates the extension or changes what is given of it. */
    put: (tenantId: string, number: string, change: Change): Promise<Extension> =>
      put(db, tenantId, number, change),

    /** Undefined when there is none of this number. */
    async change(tenantId: string, number: string, change: Change): Promise<Extension | undefined> {
      const [row] = await db('extensions')
        .where({ tenant_id: tenantId, number })
        .update({ ...given(change), updated_at: db.fn.now() })
        .returning([...COLUMNS])
      return row as Extension | undefined
    },

    /** Creates the extension unless the tenant has `limit` of them; then it answers how many there are. */
    create: (
      tenantId: string,
      number: string,
      change: Change,
      limit: number,
    ): Promise<Extension | { inUse: number }> =>
      db.transaction(async (trx) => {
        // One after the other, or two would both take the last place; whoever only refers to the tenant goes on.
        await trx('tenants').where({ id: tenantId }).forNoKeyUpdate().select('id')
        const [row] = await trx('extensions')
          .where({ tenant_id: tenantId })
          .whereNot({ number })
          .count<{ count: number }[]>('* as count')
        const inUse = row?.count ?? 0
        return inUse >= limit ? { inUse } : put(trx, tenantId, number, change)
      }),

    /** With its devices and their tokens. False when there is none of this number. */
    async remove(tenantId: string, number: string): Promise<boolean> {
      return (await db('extensions').where({ tenant_id: tenantId, number }).delete()) > 0
    },
  }
}
export type ExtensionStore = ReturnType<typeof createExtensionStore>
