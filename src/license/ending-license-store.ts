import type { Knex } from 'knex'

/** Licences that will end, and whether their owners know. */
export function createEndingLicenseStore(db: Knex) {
  return {
    /** Those in force that end in this time, by id, after the id `after`. */
    async ending(from: Date, to: Date, limit: number, after?: string): Promise<string[]> {
      const query = db('licenses')
        .select('id')
        .where('expires_at', '>', from)
        .where('expires_at', '<=', to)
        .whereNull('revoked_at')
        .whereNull('suspended_at')
        .orderBy('id')
        .limit(limit)
      if (after !== undefined) query.where('id', '>', after)
      const rows = await query
      return rows.map(({ id }) => id)
    },

    /** Whether it was said so many days before this end; one that was put off is a new one. */
    async wasTold(licenseId: string, told: { days: number; expires_at: string }): Promise<boolean> {
      const row = await db('license_events')
        .first('id')
        .where({ license_id: licenseId, action: 'expiring' })
        .whereRaw('details @> ?::jsonb', [JSON.stringify(told)])
      return row !== undefined
    },
  }
}
export type EndingLicenseStore = ReturnType<typeof createEndingLicenseStore>
