import type { Knex } from 'knex'
import type { DeactivationReason, Installation } from './license.ts'

const COLUMNS = [
  'id',
  'license_id',
  'hostname',
  'fingerprint',
  'version',
  'activated_at',
  'last_seen_at',
  'deactivated_at',
  'deactivated_why',
] as const

/** The seats of licences. Who takes or frees one holds the lock on the licence's row, or two would take the last one. */
export function createInstallationStore(db: Knex) {
  const ofLicense = (licenseId: string) => db('installations').where({ license_id: licenseId })
  return {
    /** @param identity see `identityOf` */
    async findActive(licenseId: string, identity: string): Promise<Installation | undefined> {
      const row = await ofLicense(licenseId)
        .first(...COLUMNS)
        .where({ identity })
        .whereNull('deactivated_at')
      return row && fromRow(row)
    },

    async find(licenseId: string, id: string): Promise<Installation | undefined> {
      const row = await ofLicense(licenseId)
        .first(...COLUMNS)
        .where({ id })
      return row && fromRow(row)
    },

    /** Who holds the seats, the longest one first. */
    async listActive(licenseId: string): Promise<Installation[]> {
      const rows = await ofLicense(licenseId)
        .select(...COLUMNS)
        .whereNull('deactivated_at')
        .orderBy(['activated_at', 'id'])
      return rows.map(fromRow)
    },

    async insert(installation: Installation): Promise<void> {
      await db('installations').insert({
        id: installation.id,
        license_id: installation.licenseId,
        identity: identityOf(installation),
        hostname: installation.hostname,
        fingerprint: installation.fingerprint ?? null,
        version: installation.version,
        activated_at: new Date(installation.activatedAt),
        last_seen_at: new Date(installation.lastSeenAt),
        deactivated_at:
          installation.deactivatedAt === undefined ? null : new Date(installation.deactivatedAt),
        deactivated_why: installation.deactivatedWhy ?? null,
      })
    },

    /** False when it was not active any more. */
    async deactivate(licenseId: string, id: string, why: DeactivationReason, at: Date): Promise<boolean> {
      const changed = await ofLicense(licenseId)
        .where({ id })
        .whereNull('deactivated_at')
        .update({ deactivated_at: at, deactivated_why: why })
      return changed > 0
    },
  }
}
export type InstallationStore = ReturnType<typeof createInstallationStore>

/** What makes an installation the same one when it is activated again. */
export const identityOf = ({
  fingerprint,
  hostname,
}: {
  fingerprint?: string | undefined
  hostname: string
}) => (fingerprint === undefined ? `host:${hostname.toLowerCase()}` : `fingerprint:${fingerprint}`)

interface Row {
  id: string
  license_id: string
  hostname: string
  fingerprint: string | null
  version: string
  activated_at: Date
  last_seen_at: Date
  deactivated_at: Date | null
  deactivated_why: DeactivationReason | null
}

const fromRow = (row: Row): Installation => ({
  id: row.id,
  licenseId: row.license_id,
  hostname: row.hostname,
  ...(row.fingerprint !== null && { fingerprint: row.fingerprint }),
  version: row.version,
  activatedAt: row.activated_at.getTime(),
  lastSeenAt: row.last_seen_at.getTime(),
  ...(row.deactivated_at && { deactivatedAt: row.deactivated_at.getTime() }),
  ...(row.deactivated_why && { deactivatedWhy: row.deactivated_why }),
})
