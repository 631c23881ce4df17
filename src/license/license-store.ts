import type { Knex } from 'knex'
import type { KeyedLicense, License } from './license.ts'
import { fromKeyedRow, fromLicenseRow, LICENSE_COLUMNS, toLicenseRow } from './license-row.ts'

export interface LicenseKeyRow {
  id: string
  licenseId: string
  keyHash: string
  prefix: string
  createdAt: number
  expiresAt?: number
}

/** What may be told of a key. */
export interface LicenseKey {
  prefix: string
  createdAt: number
  expiresAt?: number
}

/** A tenant has one or a few. */
const OF_TENANT = 100

/** Licences and their keys. Who changes one does it together with its event, see `license-records-store.ts`. */
export function createLicenseStore(db: Knex) {
  return {
    /** With the key that found it, also when that or the licence is no good any more: the checks tell why. */
    async findByKeyHash(keyHash: string): Promise<KeyedLicense | undefined> {
      const row = await db('license_keys')
        .join('licenses', 'licenses.id', 'license_keys.license_id')
        .first(...LICENSE_COLUMNS, 'license_keys.key_prefix', {
          key_expires_at: 'license_keys.expires_at',
        })
        .where('license_keys.key_hash', keyHash)
      return row && fromKeyedRow(row)
    },

    /** @param lock holds it until the transaction ends, so that whoever else wants to count its seats waits */
    async find(id: string, lock = false): Promise<License | undefined> {
      const query = db('licenses')
        .first(...LICENSE_COLUMNS)
        .where({ id })
      const row = await (lock ? query.forUpdate() : query)
      return row && fromLicenseRow(row)
    },

    /** The newest first. Beyond so many, those that were revoked are the ones to miss. */
    async ofTenant(tenantId: string): Promise<License[]> {
      const rows = await db('licenses')
        .select(...LICENSE_COLUMNS)
        .where({ tenant_id: tenantId })
        .orderByRaw('licenses.revoked_at IS NOT NULL, licenses.created_at DESC, licenses.id DESC')
        .limit(OF_TENANT)
      return rows.map(fromLicenseRow)
    },

    async insert(license: License, notes = ''): Promise<void> {
      await db('licenses').insert({ ...toLicenseRow(license), notes })
    },

    /** All of the licence as it is to be now. */
    async update(license: License): Promise<void> {
      const { id, tenant_id, created_at, ...changes } = toLicenseRow(license)
      await db('licenses')
        .where({ id })
        .update({ ...changes, updated_at: db.fn.now() })
    },

    async insertKey(key: LicenseKeyRow): Promise<void> {
      await db('license_keys').insert({
        id: key.id,
        license_id: key.licenseId,
        key_hash: key.keyHash,
        key_prefix: key.prefix,
        created_at: new Date(key.createdAt),
        expires_at: key.expiresAt === undefined ? null : new Date(key.expiresAt),
      })
    },

    /** All keys there ever were, the newest first. */
    async listKeys(licenseId: string): Promise<LicenseKey[]> {
      const rows = await db('license_keys')
        .select('key_prefix', 'created_at', 'expires_at')
        .where({ license_id: licenseId })
        .orderBy([
          { column: 'created_at', order: 'desc' },
          { column: 'id', order: 'desc' },
        ])
      return rows.map((row) => ({
        prefix: row.key_prefix,
        createdAt: row.created_at.getTime(),
        ...(row.expires_at && { expiresAt: row.expires_at.getTime() }),
      }))
    },

    /** The keys there are end at this moment; those that end earlier still do. */
    async endKeys(licenseId: string, at: Date): Promise<void> {
      await db('license_keys')
        .where({ license_id: licenseId })
        .where((query) => query.whereNull('expires_at').orWhere('expires_at', '>', at))
        .update({ expires_at: at })
    },

    /** Which licences have or had a key with these first letters; two are enough to know that it is not one. */
    async idsByPrefix(prefix: string): Promise<string[]> {
      const rows = await db('license_keys')
        .distinct('license_id')
        .where({ key_prefix: prefix })
        .orderBy('license_id')
        .limit(2)
      return rows.map((row) => row.license_id)
    },

    async notesOf(id: string): Promise<string> {
      const row = await db('licenses').first('notes').where({ id })
      return row?.notes ?? ''
    },

    async setNotes(id: string, notes: string): Promise<void> {
      await db('licenses').where({ id }).update({ notes, updated_at: db.fn.now() })
    },

    /** How many extensions those licences of a tenant are good for that are in force and end after this moment. */
    async extensionsOf(tenantId: string, endAfter: Date): Promise<number> {
      const [row] = await db('licenses')
        .where({ tenant_id: tenantId })
        .whereNull('revoked_at')
        .whereNull('suspended_at')
        .where((query) => query.whereNull('expires_at').orWhere('expires_at', '>', endAfter))
        .sum({ total: 'max_extensions' })
      return Number(row?.total ?? 0)
    },
  }
}
export type LicenseStore = ReturnType<typeof createLicenseStore>
