import type { Lane } from '../push/push-kinds.ts'
import type { AnswerHeaders } from './rate-limit-headers.ts'

/** Pushes that nobody brings a licence key for, such as those of a PBX key: the licences of the tenant let them pass. */
export interface TenantPushes {
  /**
   * Throws the 403 of a tenant that has no licence in force for the lane, and `store_unavailable` when that cannot be known. What
   * the answer should warn of is told to it. Costs no question to a store in the usual case.
   */
  admit(tenantId: string, lane: Lane, answer: AnswerHeaders): Promise<TenantAllowance>
}

/** What a tenant may push of a lane now. */
export interface TenantAllowance {
  /** The licence of each push that may go: of `count`, the first ones. Throws the 429 that says why when that is none. */
  take(count: number): Promise<readonly string[]>
  /** These were not pushed after all. */
  giveBack(licenseIds: readonly string[]): void
}
