import type { Knex } from 'knex'

export interface ProvisioningLink {
  tokenHash: string
  tenantId: string
  extensionId: number
  passwordSealed: string
  createdAt: Date
  expiresAt: Date
}

/** Where a sealed password belongs: it opens nowhere else. */
export const linkContext = (tokenHash: string): string => `provisioning-link:${tokenHash}`

export function createProvisioningStore(db: Knex) {
  return {
    async insert(link: ProvisioningLink): Promise<void> {
      await db('provisioning_links').insert({
        token_hash: link.tokenHash,
        tenant_id: link.tenantId,
        extension_id: link.extensionId,
        password_sealed: link.passwordSealed,
        created_at: link.createdAt,
        expires_at: link.expiresAt,
      })
    },

    /** One that can still be used, with the extension as it is now. It is spent together with the session that it opens. */
    async findUsable(tokenHash: string, now: Date) {
      const row = await db('provisioning_links AS l')
        .join('extensions AS e', 'e.id', 'l.extension_id')
        .first('l.tenant_id', 'l.extension_id', 'l.password_sealed', 'e.number', 'e.password_hash')
        .where('l.token_hash', tokenHash)
        .whereNull('l.used_at')
        .where('l.expires_at', '>', now)
      return (
        row && {
          tenantId: row.tenant_id as string,
          extensionId: row.extension_id as number,
          number: row.number as string,
          passwordHash: row.password_hash as string | null,
          passwordSealed: row.password_sealed as string,
        }
      )
    },

    /** Forgets what can no longer be used, and the passwords in it. */
    async prune(now: Date): Promise<number> {
      return db('provisioning_links').where('expires_at', '<=', now).delete()
    },
  }
}
export type ProvisioningStore = ReturnType<typeof createProvisioningStore>
