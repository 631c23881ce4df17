import type { Knex } from 'knex'

/** A PBX that may ask for calls and report registrations of its tenant. */
export interface PbxKey {
  id: string
  tenantId: string
}

export function createPbxKeyStore(db: Knex) {
  return {
    async findByKeyHash(keyHash: string): Promise<PbxKey | undefined> {
      const row = await db('pbx_keys')
        .first('id', 'tenant_id')
        .where({ key_hash: keyHash })
        .whereNull('revoked_at')
      return row && { id: row.id as string, tenantId: row.tenant_id as string }
    },
  }
}
export type PbxKeyStore = ReturnType<typeof createPbxKeyStore>
