import type { Knex } from 'knex'

export interface NewPbxKey {
  id: string
  keyHash: string
  keyPrefix: string
}

export function createTenantStore(db: Knex) {
  return {
    async insert(tenant: { id: string; name: string }): Promise<void> {
      await db('tenants').insert({ id: tenant.id, name: tenant.name })
    },

    async exists(id: string): Promise<boolean> {
      return (await db('tenants').first('id').where({ id })) !== undefined
    },

    async insertPbxKey(tenantId: string, name: string, key: NewPbxKey): Promise<void> {
      await db('pbx_keys').insert({
        id: key.id,
        tenant_id: tenantId,
        name,
        key_hash: key.keyHash,
        key_prefix: key.keyPrefix,
      })
    },
  }
}
export type TenantStore = ReturnType<typeof createTenantStore>
