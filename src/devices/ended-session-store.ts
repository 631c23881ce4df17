import type { Knex } from 'knex'

/** A session that has just ended; its phone is known if it was bound to one. */
export interface EndedSession {
  tenantId: string
  extensionId: number
  deviceKey?: string
}

/** What comes with each session that a statement ends. */
export const ENDED_COLUMNS = ['tenant_id', 'extension_id', 'device_key'] as const
type Row = { tenant_id: string; extension_id: number; device_key: string | null }

const toEnded = (row: Row): EndedSession => ({
  tenantId: row.tenant_id,
  extensionId: row.extension_id,
  ...(row.device_key !== null && { deviceKey: row.device_key }),
})

/**
 * Whoever is logged out leaves a phone behind that may lie in somebody else's hand: nothing rings on it and nothing is shown. The phone
 * itself stays, and its next login brings its tokens again.
 */
export async function silencePhones(trx: Knex, rows: readonly Row[]): Promise<EndedSession[]> {
  const ended = rows.map(toEnded)
  const bound = ended.filter(({ deviceKey }) => deviceKey !== undefined)
  if (bound.length > 0) {
    await trx.raw(
      `DELETE FROM device_tokens t USING devices d,
         unnest(?::uuid[], ?::bigint[], ?::text[]) AS s (tenant_id, extension_id, device_key)
       WHERE t.device_id = d.id AND d.tenant_id = s.tenant_id AND d.extension_id = s.extension_id AND d.device_key = s.device_key`,
      [
        bound.map(({ tenantId }) => tenantId),
        bound.map(({ extensionId }) => extensionId),
        bound.map(({ deviceKey = '' }) => deviceKey),
      ],
    )
  }
  return ended
}
