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

/** What a machine says about itself. */
export interface Machine {
  hostname: string
  fingerprint?: string | undefined
  version: string
}

/** A licence was used: by this installation, or by one that does not say which it is. Milliseconds since the epoch. */
export interface Sighting {
  licenseId: string
  instanceId: string | undefined
  at: number
}

/** The seats of licences. Who takes or frees one holds the lock on the licence's row, or two would take the last one. */
export function createInstallationStore(db: Knex) {
  const ofLicense = (licenseId: string) => db('installations').where({ license_id: licenseId })
  return {
    ...sightingQueries(db),

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

    /** The active one of this fingerprint, or else of this host name; without one, the last there was. */
    async findMachine(
      licenseId: string,
      { fingerprint, hostname }: { fingerprint?: string | undefined; hostname?: string | undefined },
    ): Promise<Installation | undefined> {
      const query = ofLicense(licenseId).first(...COLUMNS)
      if (fingerprint !== undefined) query.where({ fingerprint })
      else query.whereRaw('lower(hostname) = ?', [hostname?.toLowerCase() ?? ''])
      const row = await query.orderByRaw('deactivated_at DESC NULLS FIRST, activated_at DESC, id')
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

    /** As the machine says it is now. */
    async refresh(licenseId: string, id: string, machine: Machine, at: number): Promise<void> {
      await ofLicense(licenseId)
        .where({ id })
        .update({
          identity: identityOf(machine),
          hostname: machine.hostname,
          fingerprint: machine.fingerprint ?? null,
          version: machine.version,
          last_seen_at: new Date(at),
        })
    },

    /** An active one is there and says so; undefined when it is not active. */
    async beat(licenseId: string, id: string, version: string | undefined, at: number) {
      const [row] = await ofLicense(licenseId)
        .where({ id })
        .whereNull('deactivated_at')
        .update({
          last_seen_at: new Date(at),
          identifies: true,
          ...(version !== undefined && { version }),
        })
        .returning([...COLUMNS])
      return row && fromRow(row)
    },

    /** Gives a dead one its seat back. */
    async revive(licenseId: string, id: string, at: number): Promise<void> {
      await ofLicense(licenseId)
        .where({ id, deactivated_why: 'dead' })
        .update({ deactivated_at: null, deactivated_why: null, last_seen_at: new Date(at) })
    },

    /** False when it was not active any more. */
    async deactivate(licenseId: string, id: string, why: DeactivationReason, at: Date): Promise<boolean> {
      const changed = await ofLicense(licenseId)
        .where({ id })
        .whereNull('deactivated_at')
        .update({ deactivated_at: at, deactivated_why: why })
      return changed > 0
    },

    /** Frees the seats of those not seen since `before`. */
    async deactivateDead(licenseId: string, before: Date, at: Date): Promise<Installation[]> {
      const rows = await ofLicense(licenseId)
        .whereNull('deactivated_at')
        .where('last_seen_at', '<', before)
        .update({ deactivated_at: at, deactivated_why: 'dead' })
        .returning([...COLUMNS])
      return rows.map(fromRow)
    },

    /** Licences with an installation that is active and was not seen since `before`. */
    async licensesWithDead(before: Date, limit: number): Promise<string[]> {
      const rows = await db('installations')
        .distinct('license_id')
        .whereNull('deactivated_at')
        .where('last_seen_at', '<', before)
        .limit(limit)
      return rows.map(({ license_id }) => license_id)
    },
  }
}
export type InstallationStore = ReturnType<typeof createInstallationStore>

const sightingQueries = (db: Knex) => ({
  /**
   * In one statement. What does not say its instance id counts for all active installations that never did. The rows are locked
   * in order, because other nodes do the same.
   */
  async see(sightings: readonly Sighting[]): Promise<void> {
    await db.raw(
      `WITH said AS (
         SELECT license_id, nullif(id, '')::uuid AS id, at FROM unnest(?::uuid[], ?::text[], ?::timestamptz[]) AS said (license_id, id, at)
       ), seen AS (
         SELECT i.id, max(said.at) AS at, bool_or(said.id IS NOT NULL) AS by_id
         FROM said JOIN installations AS i ON i.license_id = said.license_id
           AND (i.id = said.id OR (said.id IS NULL AND NOT i.identifies))
         WHERE i.deactivated_at IS NULL
         GROUP BY i.id
       ), locked AS (
         SELECT id FROM installations WHERE id IN (SELECT id FROM seen) ORDER BY id FOR UPDATE
       )
       UPDATE installations AS i
       SET last_seen_at = greatest(i.last_seen_at, seen.at), identifies = i.identifies OR seen.by_id
       FROM seen JOIN locked USING (id)
       WHERE i.id = seen.id AND i.deactivated_at IS NULL`,
      columnsOf(sightings),
    )
  },

  /** Those of the sightings whose installation is thought to be dead. */
  async deadAmong(sightings: readonly Sighting[]): Promise<{ licenseId: string; id: string }[]> {
    const { rows } = await db.raw<{ rows: { license_id: string; id: string }[] }>(
      `SELECT i.license_id, i.id FROM unnest(?::uuid[], ?::text[], ?::timestamptz[]) AS said (license_id, id, at)
       JOIN installations AS i ON i.id = nullif(said.id, '')::uuid AND i.license_id = said.license_id
       WHERE i.deactivated_why = 'dead'`,
      columnsOf(sightings),
    )
    return rows.map(({ license_id, id }) => ({ licenseId: license_id, id }))
  },
})

const columnsOf = (sightings: readonly Sighting[]): Knex.RawBinding[] => [
  sightings.map(({ licenseId }) => licenseId),
  sightings.map(({ instanceId }) => instanceId ?? ''),
  sightings.map(({ at }) => new Date(at)),
]

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
