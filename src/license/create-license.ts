import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Actor, License } from './license.ts'
import { keyPrefix, newLicenseKey } from './license-key.ts'
import type { LicenseRecords } from './license-records-store.ts'
import { describeTerms } from './license-views.ts'
import { type Entitlement, TIERS, type Tier, tierOf } from './tiers.ts'

/** What a new licence is to allow; what is absent is as its tier has it. One that differs from its tier becomes `custom`. */
export interface LicenseTerms {
  tenantId: string
  /** `custom` needs `maxExtensions`. */
  tier: Tier | 'custom'
  maxExtensions?: number | undefined
  /** null: any number. */
  maxInstallations?: number | null | undefined
  entitlements?: readonly Entitlement[] | undefined
  callsPerDay?: number | undefined
  messagesPerDay?: number | undefined
  expiresAt?: number | undefined
  notes?: string | undefined
}

/** Makes a licence with its first key and its first event. The key is in clear here and nowhere else. */
export async function createLicense(
  { licenses, events }: Pick<LicenseRecords, 'licenses' | 'events'>,
  keyring: Keyring,
  terms: LicenseTerms,
  { actor, now }: { actor: Actor; now: number },
): Promise<{ license: License; key: string }> {
  const license = licenseOf(terms, now)
  await licenses.insert(license, terms.notes)
  const key = await addLicenseKey(licenses, keyring, license.id, now)
  const details = { ...describeTerms(license), key_prefix: keyPrefix(key) }
  await events.insert({ id: newId(), licenseId: license.id, at: now, action: 'created', actor, details })
  return { license, key }
}

/** The key is in clear here and nowhere else. */
export async function addLicenseKey(
  licenses: LicenseRecords['licenses'],
  keyring: Keyring,
  licenseId: string,
  now: number,
): Promise<string> {
  const key = newLicenseKey()
  const keyHash = keyring.licenseKeyHash(key)
  await licenses.insertKey({ id: newId(), licenseId, keyHash, prefix: keyPrefix(key), createdAt: now })
  return key
}

function licenseOf(terms: LicenseTerms, now: number): License {
  const preset = terms.tier === 'custom' ? undefined : TIERS[terms.tier]
  const maxInstallations =
    terms.maxInstallations === undefined ? preset?.maxInstallations : (terms.maxInstallations ?? undefined)
  const limits = {
    maxExtensions: terms.maxExtensions ?? preset?.maxExtensions ?? 0,
    ...(maxInstallations !== undefined && { maxInstallations }),
    entitlements: terms.entitlements ?? preset?.entitlements ?? [],
  }
  return {
    id: newId(),
    tenantId: terms.tenantId,
    tier: tierOf(limits),
    ...limits,
    ...(terms.callsPerDay !== undefined && { callsPerDay: terms.callsPerDay }),
    ...(terms.messagesPerDay !== undefined && { messagesPerDay: terms.messagesPerDay }),
    createdAt: now,
    ...(terms.expiresAt !== undefined && { expiresAt: terms.expiresAt }),
  }
}
