import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'

const WINDOW_SECONDS = (15 * MINUTE) / SECOND
/** Enough for somebody who tries his old passwords, hopeless for a guesser: NIST SP 800-63B-4 allows 100 in a row. */
const PER_NAME = 10
/** One person at several names; also an office behind one address. */
const PER_ADDRESS = 20

/**
 * How often a login may be tried, on this node. A name is locked together with its owner, for a quarter of an hour: the price
 * for stopping a guess that comes from many addresses.
 */
export function createLoginLimits() {
  const perName = new RateLimiterMemory({ points: PER_NAME, duration: WINDOW_SECONDS })
  const perAddress = new RateLimiterMemory({ points: PER_ADDRESS, duration: WINDOW_SECONDS })
  return {
    /** Counts a try before it is known how it ends. Throws a Problem with the time to wait when it is one too many. */
    async take(name: string, address: string): Promise<void> {
      await consume(perAddress, address)
      await consume(perName, name)
    },
    /** The password was right. */
    async forgive(name: string, address: string): Promise<void> {
      await Promise.all([perName.delete(name), perAddress.reward(address)])
    },
  }
}
export type LoginLimits = ReturnType<typeof createLoginLimits>

async function consume(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key)
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused
    throw new Problem('rate_limited', {
      sentence: 'too many failed logins',
      retryAfter: Math.max(1, Math.ceil(refused.msBeforeNext / SECOND)),
    })
  }
}
