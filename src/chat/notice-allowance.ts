import { Problem } from '../lib/problem.ts'
import type { AnswerHeaders } from '../limits/rate-limit-headers.ts'
import type { TenantPushes } from '../limits/tenant-pushes.ts'
import type { Events } from '../observability/events.ts'
import type { SkipReason } from '../push/push-result.ts'

export interface NoticeAllowanceDeps {
  tenantPushes: TenantPushes
  events: Pick<Events, 'pushesRefused'>
}

/** Nobody asked for the push, so nobody is answered. */
const NO_ANSWER: AnswerHeaders = { setHeader: () => undefined, addHeader: () => undefined }

/** Pushes of chat go on the account of the tenant's licences. What they do not let pass is said all the same, and read in the app. */
export function createNoticeAllowance({ tenantPushes, events }: NoticeAllowanceDeps) {
  /** Undefined: no licence of the tenant lets messages be pushed. Rejects when nobody can tell. */
  const admit = (tenantId: string) =>
    tenantPushes.admit(tenantId, 'messages', NO_ANSWER).catch((refusal: unknown) => {
      if (refusal instanceof Problem && refusal.status === 403) return undefined
      throw refusal
    })
  return {
    isLicensed: async (tenantId: string): Promise<boolean> => (await admit(tenantId)) !== undefined,

    /** The licence of each push that may go, of `count` the first ones; and why the others may not. */
    async take(
      tenantId: string,
      count: number,
    ): Promise<{ licenseIds: readonly string[]; otherwise: SkipReason }> {
      const allowance = await admit(tenantId)
      if (!allowance) {
        events.pushesRefused('messages', 'license', count)
        return { licenseIds: [], otherwise: 'unlicensed' }
      }
      const licenseIds = await allowance.take(count).catch((refusal: unknown) => {
        if (refusal instanceof Problem && refusal.status === 429) return []
        throw refusal
      })
      return { licenseIds, otherwise: 'over_limit' }
    },
  }
}
export type NoticeAllowance = ReturnType<typeof createNoticeAllowance>
