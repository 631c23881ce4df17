import type { Knex } from 'knex'
import type { LicenseEvent } from './license.ts'

/** The audit of licences. Nothing in it is ever changed. */
export function createLicenseEventStore(db: Knex) {
  return {
    async insert(event: LicenseEvent): Promise<void> {
      await db('license_events').insert({
        id: event.id,
        license_id: event.licenseId,
        at: new Date(event.at),
        action: event.action,
        actor: event.actor,
        details: JSON.stringify(event.details),
      })
    },

    /** Newest first. @param before the id of an event of this licence: only older ones */
    async list(licenseId: string, limit: number, before?: string): Promise<LicenseEvent[]> {
      const query = db('license_events')
        .select('id', 'license_id', 'at', 'action', 'actor', 'details')
        .where({ license_id: licenseId })
      if (before !== undefined) {
        query.whereRaw('(at, id) < (SELECT at, id FROM license_events WHERE license_id = ? AND id = ?)', [
          licenseId,
          before,
        ])
      }
      const rows = await query
        .orderBy([
          { column: 'at', order: 'desc' },
          { column: 'id', order: 'desc' },
        ])
        .limit(limit)
      return rows.map((row) => ({
        id: row.id,
        licenseId: row.license_id,
        at: row.at.getTime(),
        action: row.action,
        actor: row.actor,
        details: row.details,
      }))
    },
  }
}
export type LicenseEventStore = ReturnType<typeof createLicenseEventStore>
