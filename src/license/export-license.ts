import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { Problem } from '../lib/problem.ts'
import type { Actor } from './license.ts'
import { refusalOf } from './license-checks.ts'
import { createLicenseFile } from './license-file.ts'
import type { LicenseRecordsStore } from './license-records-store.ts'
import type { LicenseSigning } from './license-signing.ts'

export interface ExportLicenseDeps {
  licenseRecords: LicenseRecordsStore
  licenseSigning: LicenseSigning
  clock: Clock
  /** How long after its end a licence is still good. */
  graceMs: number
}

/** A signed file of a licence, made by an operator for somebody who has no way to us. */
export const createExportLicense =
  ({ licenseRecords, licenseSigning, clock, graceMs }: ExportLicenseDeps) =>
  (
    id: string,
    { fingerprint, lifeMs }: { fingerprint?: string | undefined; lifeMs: number },
    actor: Actor,
  ): Promise<{ file: string; expiresAt: number }> =>
    licenseRecords.alone(id, async ({ licenses, events }, license) => {
      if (!license) throw new Problem('unknown_license')
      const now = clock.now()
      const keys = await licenses.listKeys(id)
      const good = keys.find(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
      const key = { prefix: good?.prefix ?? '' }
      const refusal = refusalOf({ license: { ...license, key }, now, graceMs, needs: ['offline'] })
      if (refusal) throw new Problem('license_not_in_force', { sentence: refusal.hint, code: refusal.code })
      const made = await createLicenseFile(
        licenseSigning,
        { ...license, ...(good && { key }) },
        { fingerprint, now, lifeMs, graceMs },
      )
      const details = {
        expires_at: new Date(made.expiresAt).toISOString(),
        ...(fingerprint !== undefined && { fingerprint }),
      }
      await events.insert({ id: newId(), licenseId: id, at: now, action: 'exported', actor, details })
      return made
    })
export type ExportLicense = ReturnType<typeof createExportLicense>
