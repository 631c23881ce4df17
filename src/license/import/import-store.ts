import type { Knex } from 'knex'
import { newId } from '../../lib/ids.ts'
import { identityOf } from '../installation-store.ts'
import type { Installation, License } from '../license.ts'
import { createLicenseEventStore } from '../license-event-store.ts'
import { fromLicenseRow, LICENSE_COLUMNS, toLicenseRow } from '../license-row.ts'
import type { ImportedLicense } from './judge-rows.ts'

/** What an import asks and writes, a batch at a time. What is there already is never changed. */
export function createImportStore(db: Knex) {
  return {
    /** Those of these licences that are here: by their id, or by their key, which may be that of another licence here. */
    async findLicenses(wanted: readonly ImportedLicense[]): Promise<Map<string, License>> {
      const byKey = await db('license_keys')
        .join('licenses', 'licenses.id', 'license_keys.license_id')
        .select(...LICENSE_COLUMNS, 'license_keys.key_hash')
        .whereIn(
          'license_keys.key_hash',
          wanted.map(({ keyHash }) => keyHash),
        )
      const byId = await db('licenses')
        .select(...LICENSE_COLUMNS)
        .whereIn(
          'id',
          wanted.map(({ license }) => license.id),
        )
      const ids = new Map(byId.map((row) => [row.id, fromLicenseRow(row)]))
      const keys = new Map(byKey.map((row) => [row.key_hash, fromLicenseRow(row)]))
      return new Map(
        wanted.flatMap(({ keyHash, license }) => {
          const here = keys.get(keyHash) ?? ids.get(license.id)
          return here ? [[keyHash, here] as const] : []
        }),
      )
    },

    /** With tenant, key and event of each; all or nothing. Returns how many are new. */
    async insertLicenses(imported: readonly ImportedLicense[], now: number): Promise<number> {
      if (imported.length === 0) return 0
      return db.transaction(async (trx) => {
        const tenants = imported.map(({ license, prefix }) => ({
          id: license.tenantId,
          name: `FlowPBX ${prefix}`.trim(),
        }))
        await trx('tenants').insert(tenants).onConflict('id').ignore()
        const rows = imported.map(({ license }) => toLicenseRow(license))
        const inserted = await trx('licenses').insert(rows).onConflict('id').ignore().returning('id')
        const created = new Set(inserted.map(({ id }) => id))
        const fresh = imported.filter(({ license }) => created.has(license.id))
        if (fresh.length > 0) await trx('license_keys').insert(fresh.map(toKeyRow))
        const events = createLicenseEventStore(trx)
        for (const one of fresh) await events.insert(eventOf(one, now))
        return fresh.length
      })
    },

    /** The licences that have these installations, by installation. */
    async findInstallations(ids: readonly string[]): Promise<Map<string, string>> {
      const rows = await db('installations').select('id', 'license_id').whereIn('id', ids)
      return new Map(rows.map((row) => [row.id, row.license_id]))
    },

    /** The identities that hold a seat of these licences, as `<licence> <identity>`. */
    async activeIdentities(licenseIds: readonly string[]): Promise<Set<string>> {
      const rows = await db('installations')
        .select('license_id', 'identity')
        .whereIn('license_id', licenseIds)
        .whereNull('deactivated_at')
      return new Set(rows.map((row) => `${row.license_id} ${row.identity}`))
    },

    /** Returns how many are new. */
    async insertInstallations(installations: readonly Installation[]): Promise<number> {
      if (installations.length === 0) return 0
      const rows = installations.map(toInstallationRow)
      return (await db('installations').insert(rows).onConflict().ignore().returning('id')).length
    },

    /** Which of these pushes are in the log. Both bounds belong to the stretch of time in which all of them were accepted. */
    async findPushes(ids: readonly string[], from: number, to: number): Promise<Set<string>> {
      const rows = await db('push_logs')
        .select('id')
        .whereIn('id', ids)
        .whereBetween('accepted_at', [new Date(from), new Date(to)])
      return new Set(rows.map(({ id }) => id))
    },
  }
}
export type ImportStore = ReturnType<typeof createImportStore>

const toKeyRow = ({ license, keyHash, prefix }: ImportedLicense) => ({
  id: newId(),
  license_id: license.id,
  key_hash: keyHash,
  key_prefix: prefix,
  created_at: new Date(license.createdAt),
})

const eventOf = ({ license, sourceId }: ImportedLicense, now: number) => ({
  id: newId(),
  licenseId: license.id,
  at: now,
  action: 'imported' as const,
  actor: 'shell' as const,
  details: {
    source: 'flowpbx',
    source_id: sourceId,
    tier: license.tier,
    max_extensions: license.maxExtensions,
    ...(license.expiresAt !== undefined && { expires_at: new Date(license.expiresAt).toISOString() }),
  },
})

const toInstallationRow = (installation: Installation) => ({
  id: installation.id,
  license_id: installation.licenseId,
  identity: identityOf(installation),
  hostname: installation.hostname,
  fingerprint: null,
  version: installation.version,
  activated_at: new Date(installation.activatedAt),
  last_seen_at: new Date(installation.lastSeenAt),
  deactivated_at: installation.deactivatedAt === undefined ? null : new Date(installation.deactivatedAt),
  deactivated_why: installation.deactivatedWhy ?? null,
})
