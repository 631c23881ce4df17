import type { Knex } from 'knex'
import type { Config } from './config/config.ts'
import type { Clock } from './lib/clock.ts'
import { toError } from './lib/error.ts'
import type { Keyring } from './lib/keyring.ts'
import { entitled } from './license/entitled.ts'
import { createKnownLicenses } from './license/known-licenses.ts'
import { createLicenseAuth } from './license/license-auth.ts'
import { createLicenseRecords } from './license/license-records-store.ts'
import type { Events } from './observability/events.ts'

interface LicensingDeps {
  db: Knex
  config: Config
  keyring: Keyring
  clock: Clock
  events: Events
}

/** Wires the licence server: who may use the gateway, where, and for what. */
export function createLicensing(core: LicensingDeps) {
  const { config, events, clock, keyring } = core
  const licenseRecords = createLicenseRecords(core.db)
  const onError = (error: unknown) => events.backgroundError('licenses', toError(error))
  const graceMs = config.licenseGraceMs
  const { licenses } = licenseRecords
  const knownLicenses = createKnownLicenses({ licenses, keyring, graceMs, onError })
  const licenseAuth = createLicenseAuth({ knownLicenses, clock, graceMs, events })
  return {
    licenseRecords,
    knownLicenses,
    licenseAuth,
    webhookAuth: entitled(licenseAuth, ['webhooks'], clock),
    /** How many extensions a tenant may have; its licences count for as long as their pushes are let pass. */
    extensionLimit: (tenantId: string) => licenses.extensionsOf(tenantId, new Date(clock.now() - graceMs)),
  }
}
