import type { KeyedLicense, License } from './license.ts'
import type { Entitlement } from './tiers.ts'

/** A licence as the table has it. */
export interface LicenseRow {
  id: string
  tenant_id: string
  tier: string
  max_extensions: number
  max_installations: number | null
  entitlements: Entitlement[]
  calls_per_day: number | null
  messages_per_day: number | null
  created_at: Date
  expires_at: Date | null
  suspended_at: Date | null
  revoked_at: Date | null
}

export const LICENSE_COLUMNS = [
  'licenses.id',
  'licenses.tenant_id',
  'licenses.tier',
  'licenses.max_extensions',
  'licenses.max_installations',
  'licenses.entitlements',
  'licenses.calls_per_day',
  'licenses.messages_per_day',
  'licenses.created_at',
  'licenses.expires_at',
  'licenses.suspended_at',
  'licenses.revoked_at',
] as const

export const fromLicenseRow = (row: LicenseRow): License => ({
  id: row.id,
  tenantId: row.tenant_id,
  tier: row.tier,
  maxExtensions: row.max_extensions,
  ...(row.max_installations !== null && { maxInstallations: row.max_installations }),
  entitlements: row.entitlements,
  ...(row.calls_per_day !== null && { callsPerDay: row.calls_per_day }),
  ...(row.messages_per_day !== null && { messagesPerDay: row.messages_per_day }),
  createdAt: row.created_at.getTime(),
  ...(row.expires_at && { expiresAt: row.expires_at.getTime() }),
  ...(row.suspended_at && { suspendedAt: row.suspended_at.getTime() }),
  ...(row.revoked_at && { revokedAt: row.revoked_at.getTime() }),
})

export const fromKeyedRow = (
  row: LicenseRow & { key_prefix: string; key_expires_at: Date | null },
): KeyedLicense => ({
  ...fromLicenseRow(row),
  key: { prefix: row.key_prefix, ...(row.key_expires_at && { expiresAt: row.key_expires_at.getTime() }) },
})

const dateOrNull = (time: number | undefined) => (time === undefined ? null : new Date(time))

/** Every column of a licence, so that what is absent in it becomes NULL. */
export const toLicenseRow = (license: License): LicenseRow => ({
  id: license.id,
  tenant_id: license.tenantId,
  tier: license.tier,
  max_extensions: license.maxExtensions,
  max_installations: license.maxInstallations ?? null,
  entitlements: [...license.entitlements],
  calls_per_day: license.callsPerDay ?? null,
  messages_per_day: license.messagesPerDay ?? null,
  created_at: new Date(license.createdAt),
  expires_at: dateOrNull(license.expiresAt),
  suspended_at: dateOrNull(license.suspendedAt),
  revoked_at: dateOrNull(license.revokedAt),
})
