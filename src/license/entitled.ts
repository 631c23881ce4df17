import type { AuthScheme } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import type { KeyedLicense } from './license.ts'
import { refusalOf } from './license-checks.ts'
import type { Entitlement } from './tiers.ts'

/** The same callers, as far as their licence includes this. */
export const entitled = (
  auth: AuthScheme<KeyedLicense>,
  needs: readonly Entitlement[],
  clock: Clock,
): AuthScheme<KeyedLicense> => ({
  ...auth,
  async verify(request) {
    const license = await auth.verify(request)
    // Whether the licence itself is good, the scheme below has said, with its own grace.
    const refusal = refusalOf({ license, now: clock.now(), graceMs: Number.POSITIVE_INFINITY, needs })
    if (refusal?.about === 'use') {
      throw new Problem('not_entitled', { code: refusal.code, extra: { hint: refusal.hint } })
    }
    return license
  },
})
