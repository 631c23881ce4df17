import type { Knex } from 'knex'

export interface License {
  id: string
  tenantId: string
  tier: string
  maxExtensions: number
  expiresAt?: number
}

export function createLicenseStore(db: Knex) {
  return {
    async findByKeyHash(keyHash: string): Promise<License | undefined> {
      const row = await db('licenses')
        .first('id', 'tenant_id', 'tier', 'max_extensions', 'expires_at')
        .where({ key_hash: keyHash })
      return row && fromRow(row)
    },

    async insert(license: License & { keyHash: string; keyPrefix: string }): Promise<void> {
      await db('licenses').insert({
        id: license.id,
        tenant_id: license.tenantId,
        key_hash: license.keyHash,
        key_prefix: license.keyPrefix,
        tier: license.tier,
        max_extensions: license.maxExtensions,
        expires_at: license.expiresAt === undefined ? null : new Date(license.expiresAt),
      })
    },
  }
}
export type LicenseStore = ReturnType<typeof createLicenseStore>

interface Row {
  id: string
  tenant_id: string
  tier: string
  max_extensions: number
  expires_at: Date | null
}

const fromRow = (row: Row): License => ({
  id: row.id,
  tenantId: row.tenant_id,
  tier: row.tier,
  maxExtensions: row.max_extensions,
  ...(row.expires_at && { expiresAt: row.expires_at.getTime() }),
})
