import type { Installation, License, LicenseEvent } from './license.ts'
import type { ListedLicense } from './license-list-store.ts'
import type { LicenseKey } from './license-store.ts'

/** Licences as operators read them, in the API, at a shell and in the audit. */
export const LICENSE_STATES = ['active', 'expired', 'suspended', 'revoked'] as const
export type LicenseState = (typeof LICENSE_STATES)[number]

const iso = (time: number) => new Date(time).toISOString()
const isoOrNull = (time: number | undefined) => (time === undefined ? null : iso(time))

/** What weighs most: revoked is for good, suspended until somebody acts, expired until it is renewed. */
export function stateOf(
  { revokedAt, suspendedAt, expiresAt }: Pick<License, 'revokedAt' | 'suspendedAt' | 'expiresAt'>,
  now: number,
): LicenseState {
  if (revokedAt !== undefined) return 'revoked'
  if (suspendedAt !== undefined) return 'suspended'
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active'
}

/** null: any number, as many as its size gives, or never. */
export const describeTerms = (license: License) => ({
  tier: license.tier,
  max_extensions: license.maxExtensions,
  max_installations: license.maxInstallations ?? null,
  entitlements: [...license.entitlements],
  calls_per_day: license.callsPerDay ?? null,
  messages_per_day: license.messagesPerDay ?? null,
  expires_at: isoOrNull(license.expiresAt),
})

export const describeLicense = (license: License, now: number) => ({
  id: license.id,
  tenant_id: license.tenantId,
  state: stateOf(license, now),
  ...describeTerms(license),
  created_at: iso(license.createdAt),
  suspended_at: isoOrNull(license.suspendedAt),
  revoked_at: isoOrNull(license.revokedAt),
})

export const describeListed = ({ license, ...listed }: ListedLicense, now: number) => ({
  ...describeLicense(license, now),
  tenant_name: listed.tenantName,
  key_prefixes: listed.keyPrefixes,
  active_installations: listed.activeInstallations,
  notes: listed.notes,
})

export const describeKey = (key: LicenseKey, now: number) => ({
  prefix: key.prefix,
  is_good: key.expiresAt === undefined || key.expiresAt > now,
  created_at: iso(key.createdAt),
  expires_at: isoOrNull(key.expiresAt),
})

export const describeInstallation = (installation: Installation) => ({
  instance_id: installation.id,
  hostname: installation.hostname,
  fingerprint: installation.fingerprint ?? null,
  version: installation.version,
  activated_at: iso(installation.activatedAt),
  last_seen_at: iso(installation.lastSeenAt),
  deactivated_at: isoOrNull(installation.deactivatedAt),
})

export const describeEvent = (event: LicenseEvent) => ({
  id: event.id,
  at: iso(event.at),
  action: event.action,
  actor: event.actor,
  details: event.details,
})
