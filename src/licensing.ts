import type { Knex } from 'knex'
import type { Config } from './config/config.ts'
import type { Clock } from './lib/clock.ts'
import { toError } from './lib/error.ts'
import type { Keyring } from './lib/keyring.ts'
import { MINUTE } from './lib/units.ts'
import { createAnnounceEndings } from './license/announce-endings.ts'
import { createAnswerSigner } from './license/answer-signature.ts'
import { entitled } from './license/entitled.ts'
import { createExportLicense } from './license/export-license.ts'
import { createInstallationSightings } from './license/installation-sightings.ts'
import { createInstallations } from './license/installations.ts'
import { createKnownLicenses } from './license/known-licenses.ts'
import { createLicenseAuth } from './license/license-auth.ts'
import { createLicenseListStore } from './license/license-list-store.ts'
import { createLicenseLookup } from './license/license-lookup.ts'
import { createLicenseRecords } from './license/license-records-store.ts'
import type { LicenseSigning } from './license/license-signing.ts'
import { createManageLicenses } from './license/manage-licenses.ts'
import { createTenantLicenses } from './license/tenant-licenses.ts'
import { createTenantPushes } from './license/tenant-pushes.ts'
import type { AddressGuard } from './limits/address-guard.ts'
import type { PushAllowances } from './limits/push-allowances.ts'
import type { Events } from './observability/events.ts'
import type { Webhooks } from './webhooks/webhooks.ts'

/** Also where nobody has a grace for a licence that ended: an outage of ours is nobody's fault but ours. */
const LEAST_STALE_MS = 15 * MINUTE

interface LicensingDeps {
  db: Knex
  config: Config
  keyring: Keyring
  licenseSigning: LicenseSigning
  clock: Clock
  events: Events
  webhooks: Pick<Webhooks, 'announce'>
  addressGuard: AddressGuard
  pushAllowances: PushAllowances
}

/** Wires the licence server: who may use the gateway, where, and for what. */
export function createLicensing(core: LicensingDeps) {
  const { config, events, clock, keyring, licenseSigning, addressGuard, pushAllowances } = core
  const licenseRecords = createLicenseRecords(core.db)
  const onError = (error: unknown) => events.backgroundError('licenses', toError(error))
  const graceMs = config.licenseGraceMs
  const staleMs = Math.max(graceMs, LEAST_STALE_MS)
  const { licenses, installations: installationStore } = licenseRecords
  const knownLicenses = createKnownLicenses({ licenses, keyring, addressGuard, staleMs, onError })
  const { installationMs } = config
  const installations = createInstallations({ licenseRecords, clock, installationMs, events })
  const sightings = createInstallationSightings({ installationStore, installations, clock, onError })
  const auth = { knownLicenses, clock, graceMs, events }
  const licenseAuth = createLicenseAuth({ ...auth, sightings })
  const licenseList = createLicenseListStore(core.db)
  const tenantLicenses = createTenantLicenses({ licenses, clock, graceMs, staleMs, onError })
  return {
    licenseRecords,
    licenseLookup: createLicenseLookup({ licenseRecords, licenseList, keyring, clock }),
    manageLicenses: createManageLicenses({ ...core, licenseRecords, onError }),
    exportLicense: createExportLicense({ licenseRecords, licenseSigning, clock, graceMs }),
    knownLicenses,
    installations,
    announceEndings: createAnnounceEndings({ ...core, licenseRecords }),
    installationStore,
    sightings,
    licenseAuth,
    seatAuth: createLicenseAuth(auth),
    offlineAuth: entitled(licenseAuth, ['offline'], clock),
    signAnswer: createAnswerSigner(licenseSigning, clock),
    tenantPushes: createTenantPushes({ tenantLicenses, pushAllowances, events }),
    webhookAuth: entitled(licenseAuth, ['webhooks'], clock),
    /** How many extensions a tenant may have; its licences count for as long as their pushes are let pass. */
    extensionLimit: (tenantId: string) => licenses.extensionsOf(tenantId, new Date(clock.now() - graceMs)),
  }
}
