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
