import type { Knex } from 'knex'
import type { ApnsEnvironment, TokenKind } from '../push/push.ts'

/** The tokens that show something on the screen; a device that has several gets it at the first of these. */
const ALERT_KINDS = ['apns', 'fcm_fid', 'fcm'] as const satisfies readonly TokenKind[]

/** A live token that takes a notification, still sealed. */
export interface AlertToken {
  deviceId: string
  appId: string
  /** Number of the extension. */
  extension: string
  kind: (typeof ALERT_KINDS)[number]
  environment: ApnsEnvironment
  tokenHash: string
  tokenSealed: string
}

export function createAlertTokenStore(db: Knex) {
  return {
    /** One per device of the extension; dead tokens are left out. */
    async of(tenantId: string, extensionId: number): Promise<AlertToken[]> {
      const { rows } = await db.raw<{ rows: AlertToken[] }>(
        `SELECT DISTINCT ON (d.id) d.id AS "deviceId", d.app_id AS "appId", e.number AS extension,
           t.kind, t.environment, t.token_hash AS "tokenHash", t.token_sealed AS "tokenSealed"
         FROM extensions e
         JOIN devices d ON d.extension_id = e.id
         JOIN device_tokens t ON t.device_id = d.id AND t.kind = ANY (?::text[]) AND t.invalidated_at IS NULL
         WHERE e.tenant_id = ? AND e.id = ?
         ORDER BY d.id, array_position(?::text[], t.kind)`,
        [[...ALERT_KINDS], tenantId, extensionId, [...ALERT_KINDS]],
      )
      return rows
    },
  }
}
export type AlertTokenStore = ReturnType<typeof createAlertTokenStore>
