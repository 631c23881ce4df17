import type { Knex } from 'knex'
import { DAY } from '../lib/units.ts'
import type { License } from './license.ts'
import { fromLicenseRow, LICENSE_COLUMNS, type LicenseRow } from './license-row.ts'
import type { LicenseState } from './license-views.ts'

/** What an operator looks for; every part that is given must hold. */
export interface LicenseFilter {
  /** Part of the tenant's name, of a key's prefix or of the notes, in whatever case. */
  text?: string
  tier?: string
  /** `expiring`: in force, and ends within 30 days. */
  state?: LicenseState | 'expiring'
  tenantId?: string
}

export interface ListedLicense {
  license: License
  tenantName: string
  notes: string
  /** Of all keys there ever were, the newest first. */
  keyPrefixes: string[]
  activeInstallations: number
}

export interface LicensePage {
  licenses: ListedLicense[]
  /** The id of the page's last licence, if there is another page. */
  next?: string
}

export interface LicenseUsage {
  calls: number
  messages: number
  refused_calls: number
  refused_messages: number
}

const EXPIRING_MS = 30 * DAY

/** Licences as operators list them, over all tenants. */
export function createLicenseListStore(db: Knex) {
  const select = () =>
    db('licenses')
      .join('tenants', 'tenants.id', 'licenses.tenant_id')
      .select(
        ...LICENSE_COLUMNS,
        'licenses.notes',
        { tenant_name: 'tenants.name' },
        db.raw(`ARRAY(SELECT key_prefix FROM license_keys WHERE license_id = licenses.id
                      ORDER BY created_at DESC, id DESC) AS key_prefixes`),
        db.raw(`(SELECT count(*) FROM installations
                 WHERE license_id = licenses.id AND deactivated_at IS NULL) AS active_installations`),
      )
  return {
    async find(id: string): Promise<ListedLicense | undefined> {
      const [row] = await select().where('licenses.id', id)
      return row && fromRow(row as Row)
    },

    /** Pushes of the day in UTC, as far as the nodes have reported them. */
    async usageOn(licenseId: string, day: Date): Promise<LicenseUsage> {
      const row = await db('license_usage')
        .first('calls', 'messages', 'refused_calls', 'refused_messages')
        .where({ license_id: licenseId, day: day.toISOString().slice(0, 'YYYY-MM-DD'.length) })
      return row ?? { calls: 0, messages: 0, refused_calls: 0, refused_messages: 0 }
    },

    /** Newest first. @param page `after` is the id of the last licence of the page before */
    async search(
      filter: LicenseFilter,
      { now, limit, after }: { now: number; limit: number; after?: string | undefined },
    ): Promise<LicensePage> {
      const query = select()
      if (filter.text !== undefined) whereText(query, filter.text)
      if (filter.tier !== undefined) query.where('licenses.tier', filter.tier)
      if (filter.tenantId !== undefined) query.where('licenses.tenant_id', filter.tenantId)
      if (filter.state !== undefined) whereState(query, filter.state, now)
      if (after !== undefined) {
        query.whereRaw(
          '(licenses.created_at, licenses.id) < (SELECT created_at, id FROM licenses WHERE id = ?)',
          [after],
        )
      }
      // One more than asked for tells whether there is another page.
      const rows = await query
        .orderBy([
          { column: 'licenses.created_at', order: 'desc' },
          { column: 'licenses.id', order: 'desc' },
        ])
        .limit(limit + 1)
      const licenses = rows.slice(0, limit).map((row) => fromRow(row as Row))
      const next = rows.length > limit ? licenses.at(-1)?.license.id : undefined
      return { licenses, ...(next !== undefined && { next }) }
    },
  }
}
export type LicenseListStore = ReturnType<typeof createLicenseListStore>

function whereText(query: Knex.QueryBuilder, text: string): void {
  query.whereRaw(
    `(strpos(lower(tenants.name), lower(:text)) > 0 OR strpos(lower(licenses.notes), lower(:text)) > 0
      OR EXISTS (SELECT FROM license_keys
                 WHERE license_id = licenses.id AND strpos(lower(key_prefix), lower(:text)) > 0))`,
    { text },
  )
}

/** As `stateOf` tells it. */
function whereState(query: Knex.QueryBuilder, state: LicenseState | 'expiring', now: number): void {
  if (state === 'revoked') return void query.whereNotNull('licenses.revoked_at')
  query.whereNull('licenses.revoked_at')
  if (state === 'suspended') return void query.whereNotNull('licenses.suspended_at')
  query.whereNull('licenses.suspended_at')
  if (state === 'expired') return void query.where('licenses.expires_at', '<=', new Date(now))
  if (state === 'expiring') query.where('licenses.expires_at', '<=', new Date(now + EXPIRING_MS))
  query.where((ends) =>
    ends.whereNull('licenses.expires_at').orWhere('licenses.expires_at', '>', new Date(now)),
  )
}

interface Row extends LicenseRow {
  tenant_name: string
  notes: string
  key_prefixes: string[]
  active_installations: number
}

const fromRow = (row: Row): ListedLicense => ({
  license: fromLicenseRow(row),
  tenantName: row.tenant_name,
  notes: row.notes,
  keyPrefixes: row.key_prefixes,
  activeInstallations: row.active_installations,
})
