import type { Knex } from 'knex'
import type { AppCaller } from '../http/app-caller.ts'

/** For who has to know of many sessions at once whether they have ended. */
export function createLiveSessionStore(db: Knex) {
  return {
    /** Those that go on, by their ids. */
    async among(ids: readonly string[], now: Date): Promise<Map<string, AppCaller>> {
      if (ids.length === 0) return new Map()
      const rows = await db('app_sessions AS s')
        .join('extensions AS e', 'e.id', 's.extension_id')
        .select('s.id', 's.tenant_id', 's.extension_id', 's.device_key', 'e.number')
        .whereRaw('s.id = ANY (?::uuid[])', [[...ids]])
        .whereNull('s.revoked_at')
        .where('s.expires_at', '>', now)
      return new Map(
        rows.map(({ id, tenant_id, extension_id, device_key, number }) => [
          id as string,
          {
            ...{ sessionId: id, tenantId: tenant_id, extensionId: extension_id, extension: number },
            ...(device_key !== null && { deviceKey: device_key }),
          },
        ]),
      )
    },
  }
}
export type LiveSessionStore = ReturnType<typeof createLiveSessionStore>
