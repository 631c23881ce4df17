import type { Knex } from 'knex'

/** The key itself is not there, only what support may know it by. Times are milliseconds since the epoch. */
export interface PbxKeyRecord {
  id: string
  tenantId: string
  tenantName: string
  name: string
  prefix: string
  createdAt: number
  revokedAt?: number
}

/** The keys that PBXes of a tenant speak with, as operators see them. */
export function createPbxKeyRecords(db: Knex) {
  const records = () =>
    db('pbx_keys')
      .join('tenants', 'tenants.id', 'pbx_keys.tenant_id')
      .select(
        'pbx_keys.id',
        'pbx_keys.tenant_id',
        'pbx_keys.name',
        'pbx_keys.key_prefix',
        'pbx_keys.created_at',
        'pbx_keys.revoked_at',
        { tenant_name: 'tenants.name' },
      )
      .orderBy('pbx_keys.created_at', 'desc')
  return {
    async insert(key: {
      id: string
      tenantId: string
      name: string
      keyHash: string
      keyPrefix: string
    }): Promise<void> {
      await db('pbx_keys').insert({
        id: key.id,
        tenant_id: key.tenantId,
        name: key.name,
        key_hash: key.keyHash,
        key_prefix: key.keyPrefix,
      })
    },

    /** The newest first; of all tenants unless one is named. */
    async list(tenantId?: string): Promise<PbxKeyRecord[]> {
      const query = records()
      const rows = await (tenantId === undefined ? query : query.where('pbx_keys.tenant_id', tenantId))
      return rows.map(fromRow)
    },

    /** Those of this id or with these first letters. */
    async find(word: string, isId: boolean): Promise<PbxKeyRecord[]> {
      const rows = await records().where(isId ? { 'pbx_keys.id': word } : { key_prefix: word })
      return rows.map(fromRow)
    },

    /** False when it was revoked before. */
    async revoke(id: string, at: Date): Promise<boolean> {
      return (await db('pbx_keys').where({ id }).whereNull('revoked_at').update({ revoked_at: at })) > 0
    },
  }
}
export type PbxKeyRecords = ReturnType<typeof createPbxKeyRecords>

interface Row {
  id: string
  tenant_id: string
  tenant_name: string
  name: string
  key_prefix: string
  created_at: Date
  revoked_at: Date | null
}

const fromRow = (row: Row): PbxKeyRecord => ({
  id: row.id,
  tenantId: row.tenant_id,
  tenantName: row.tenant_name,
  name: row.name,
  prefix: row.key_prefix,
  createdAt: row.created_at.getTime(),
  ...(row.revoked_at && { revokedAt: row.revoked_at.getTime() }),
})
