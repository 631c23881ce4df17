import type { Knex } from 'knex'
import { createEndingLicenseStore, type EndingLicenseStore } from './ending-license-store.ts'
import { createInstallationStore, type InstallationStore } from './installation-store.ts'
import type { License } from './license.ts'
import { createLicenseEventStore, type LicenseEventStore } from './license-event-store.ts'
import { createLicenseStore, type LicenseStore } from './license-store.ts'
import { createPbxKeyRecords, type PbxKeyRecords } from './pbx-key-store.ts'
import { createTenantStore, type TenantStore } from './tenant-store.ts'

/** All that is kept of licences and of whom they belong to. */
export interface LicenseRecords {
  tenants: TenantStore
  pbxKeys: PbxKeyRecords
  licenses: LicenseStore
  installations: InstallationStore
  events: LicenseEventStore
  endings: EndingLicenseStore
}

const recordsOf = (db: Knex): LicenseRecords => ({
  tenants: createTenantStore(db),
  pbxKeys: createPbxKeyRecords(db),
  licenses: createLicenseStore(db),
  installations: createInstallationStore(db),
  events: createLicenseEventStore(db),
  endings: createEndingLicenseStore(db),
})

/** A change, its event and the seats it is about belong together. */
export function createLicenseRecords(db: Knex) {
  const together = <T>(work: (records: LicenseRecords) => Promise<T>): Promise<T> =>
    db.transaction((trx) => work(recordsOf(trx)))
  return {
    ...recordsOf(db),
    /** All or nothing. */
    together,
    /** All or nothing, and nobody else changes the licence or its seats meanwhile. `license` is undefined when there is none. */
    alone: <T>(
      licenseId: string,
      work: (records: LicenseRecords, license: License | undefined) => Promise<T>,
    ): Promise<T> => together(async (records) => work(records, await records.licenses.find(licenseId, true))),
  }
}
export type LicenseRecordsStore = ReturnType<typeof createLicenseRecords>
