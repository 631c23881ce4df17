import type { Knex } from 'knex'
import { CALL_KINDS } from './phone-store.ts'

export interface DirectoryEntry {
  id: number
  number: string
  name: string
  /** A call can wake one of its phones. */
  hasLiveToken: boolean
}

/** Who can be called in a tenant. */
export function createDirectoryStore(db: Knex) {
  return {
    /** All extensions of the tenant, sorted by number as text. */
    async list(tenantId: string): Promise<DirectoryEntry[]> {
      const rows = await db('extensions')
        .select('id', 'number', 'name')
        .select(
          db.raw(
            `id IN (
               SELECT d.extension_id FROM devices d JOIN device_tokens t ON t.device_id = d.id
               WHERE d.tenant_id = ? AND t.invalidated_at IS NULL AND t.kind = ANY (?::text[])
             ) AS has_live_token`,
            [tenantId, [...CALL_KINDS]],
          ),
        )
        .where({ tenant_id: tenantId })
        // The order of the bytes, on whatever server.
        .orderByRaw('number COLLATE "C"')
      return rows.map(({ has_live_token: hasLiveToken, ...entry }) => ({ ...entry, hasLiveToken }))
    },
  }
}
export type DirectoryStore = ReturnType<typeof createDirectoryStore>
