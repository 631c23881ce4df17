import type { Knex } from 'knex'

export interface TenantRows {
  id: string
  name: string
  license: { id: string; keyHash: string; keyPrefix: string; tier: string; maxExtensions: number }
  pbxKey: { id: string; keyHash: string; keyPrefix: string }
}

export function createTenantStore(db: Knex) {
  return {
    /** A tenant with its first licence and PBX key, all or nothing. */
    insert: ({ id, name, license, pbxKey }: TenantRows): Promise<void> =>
      db.transaction(async (trx) => {
        await trx('tenants').insert({ id, name })
        await trx('licenses').insert({
          id: license.id,
          tenant_id: id,
          key_hash: license.keyHash,
          key_prefix: license.keyPrefix,
          tier: license.tier,
          max_extensions: license.maxExtensions,
        })
        await trx('pbx_keys').insert({
          id: pbxKey.id,
          tenant_id: id,
          name,
          key_hash: pbxKey.keyHash,
          key_prefix: pbxKey.keyPrefix,
        })
      }),
  }
}
export type TenantStore = ReturnType<typeof createTenantStore>
