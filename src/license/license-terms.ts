import type { z } from 'zod'
import type { Renewal, TermChange } from './change-license.ts'
import type { LicenseFilter } from './license-list-store.ts'
import type { NewLicense } from './manage-licenses.ts'
import type {
  LicenseChangeBody,
  LicenseQuery,
  NewLicenseBody,
  RenewalBody,
} from './operator-license-schemas.ts'

/** From what an operator wrote, at a shell or in a request, to what it means. */
export function toNewLicense(body: z.output<typeof NewLicenseBody>): NewLicense {
  const { tenant_id, tenant_name = '', pbx_key = false, tier, notes } = body
  return {
    ...(tenant_id === undefined ? { tenantName: tenant_name, withPbxKey: pbx_key } : { tenantId: tenant_id }),
    ...limitsOf(body),
    tier,
    callsPerDay: body.calls_per_day,
    messagesPerDay: body.messages_per_day,
    expiresAt: body.expires_at,
    notes,
  }
}

export const toChange = (
  body: z.output<typeof LicenseChangeBody>,
): TermChange & { notes?: string | undefined } => ({
  ...limitsOf(body),
  tier: body.tier,
  callsPerDay: body.calls_per_day,
  messagesPerDay: body.messages_per_day,
  expiresAt: body.expires_at,
  notes: body.notes,
})

const limitsOf = (body: z.output<typeof NewLicenseBody> | z.output<typeof LicenseChangeBody>) => ({
  maxExtensions: body.max_extensions,
  maxInstallations: body.max_installations,
  entitlements: body.entitlements,
})

/** The schema has seen to it that there is exactly one. */
export function toRenewal({ until, days, months }: z.output<typeof RenewalBody>): Renewal {
  if (until !== undefined) return { by: 'date', until }
  if (days !== undefined) return { by: 'days', count: days }
  return months === undefined ? { by: 'never' } : { by: 'months', count: months }
}

export const toFilter = (query: z.output<typeof LicenseQuery>): LicenseFilter => ({
  ...(query.text !== undefined && { text: query.text }),
  ...(query.tier !== undefined && { tier: query.tier }),
  ...(query.state !== undefined && { state: query.state }),
  ...(query.tenant_id !== undefined && { tenantId: query.tenant_id }),
})
