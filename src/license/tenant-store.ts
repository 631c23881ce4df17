import type { Knex } from 'knex'

export function createTenantStore(db: Knex) {
  return {
    async insert(tenant: { id: string; name: string }): Promise<void> {
      await db('tenants').insert({ id: tenant.id, name: tenant.name })
    },

    async exists(id: string): Promise<boolean> {
      return (await db('tenants').first('id').where({ id })) !== undefined
    },
  }
}
export type TenantStore = ReturnType<typeof createTenantStore>
