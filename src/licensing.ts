import type { Knex } from 'knex'
import type { Config } from './config/config.ts'
import type { Clock } from './lib/clock.ts'
import { toError } from './lib/error.ts'
import type { Keyring } from './lib/keyring.ts'
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
  return {
    licenseRecords,
    knownLicenses,
    licenseAuth: createLicenseAuth({ knownLicenses, clock, graceMs, events }),
  }
}
