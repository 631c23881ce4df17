import type { PushAllowances } from '../limits/push-allowances.ts'
import type { TenantPushes } from '../limits/tenant-pushes.ts'
import type { Events } from '../observability/events.ts'
import { countGrace, tellWarnings } from './license-warnings.ts'
import type { TenantLicenses } from './tenant-licenses.ts'

export interface TenantPushesDeps {
  tenantLicenses: TenantLicenses
  pushAllowances: PushAllowances
  events: Pick<Events, 'licenseGrace'>
}

/** Whoever speaks for a tenant pushes as its licences allow, and on their account. */
export const createTenantPushes = ({
  tenantLicenses,
  pushAllowances,
  events,
}: TenantPushesDeps): TenantPushes => ({
  async admit(tenantId, lane, answer) {
    // The entitlements are named like the lanes.
    const { licenses, warnings } = await tenantLicenses.inForce(tenantId, lane)
    tellWarnings(answer, warnings)
    countGrace(events, warnings)
    pushAllowances.prepare(licenses[0], lane)
    return {
      take: (count) => pushAllowances.takeOfSeveral(licenses, lane, count, answer),
      giveBack: (licenseIds) => pushAllowances.giveBack(licenses, lane, licenseIds),
    }
  },
})
