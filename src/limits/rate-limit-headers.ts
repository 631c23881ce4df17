import { DAY, SECOND } from '../lib/units.ts'
import type { Lane } from '../push/push-kinds.ts'
import { BURST_SECONDS, secondsOf } from './push-limits.ts'
import type { Grant } from './shared-count.ts'

export interface AnswerHeaders {
  setHeader(name: string, value: string): void
  /** Beside what is there of this name. */
  addHeader(name: string, value: string): void
}

interface Standing {
  burst: Grant
  day: Grant
}
const rest = ({ limit, used }: Grant): number => Math.max(0, limit - used)

/** How many there are before one of the limits is met. */
export const leftOf = ({ burst, day }: Standing): number => Math.min(rest(burst), rest(day))

/** From here on the owner is warned. */
export const isNearQuota = ({ used, limit }: Pick<Grant, 'used' | 'limit'>): boolean => used >= 0.8 * limit

/**
 * How things stand, by draft-ietf-httpapi-ratelimit-headers-06, the last one with a field for each number; later drafts put them
 * into one that few clients read. Of the two limits the one with less left is told, and both are policies.
 */
export function setRateLimitHeaders(answer: AnswerHeaders, { burst, day }: Standing): void {
  const nearer = rest(day) < rest(burst) ? day : burst
  answer.setHeader('RateLimit-Limit', String(nearer.limit))
  answer.setHeader('RateLimit-Remaining', String(rest(nearer)))
  answer.setHeader('RateLimit-Reset', String(secondsOf(nearer.resetMs)))
  answer.setHeader('RateLimit-Policy', `${burst.limit};w=${BURST_SECONDS}, ${day.limit};w=${DAY / SECOND}`)
}

export function warnOfQuota(answer: AnswerHeaders, lane: Lane, day: Grant): void {
  if (!isNearQuota(day)) return
  answer.addHeader('X-License-Warning', `QUOTA_80; lane=${lane}; used=${day.used}; limit=${day.limit}`)
}
