import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Allowances } from '../limits/allowance.ts'
import { clientNetwork } from '../limits/client-network.ts'

const windowSeconds = (15 * MINUTE) / SECOND
/** Enough for somebody who tries his old passwords, hopeless for a guesser: NIST SP 800-63B-4 allows 100 in a row. */
const PER_NAME = { limit: 10, windowSeconds }
/** One person at several names; also an office behind one address. */
const PER_ADDRESS = { limit: 20, windowSeconds }

export interface LoginLimitDeps {
  allowances: Allowances
  keyring: Keyring
}

/**
 * How often a login may be tried, over all nodes. A name is locked together with its owner, for a quarter of an hour: the price
 * for stopping a guess that comes from many addresses.
 */
export function createLoginLimits({ allowances, keyring }: LoginLimitDeps) {
  // What was typed as a name may be a password in the wrong field.
  const ofName = (name: string) => `login-name.${keyring.loginNameHash(name)}`
  const ofAddress = (address: string) => `login-address.${clientNetwork(address)}`
  const take = async (key: string, terms: typeof PER_NAME) => {
    const { granted, resetMs } = await allowances.ask(key, 1, terms)
    if (granted > 0) return
    throw new Problem('rate_limited', {
      sentence: 'too many failed logins',
      retryAfter: Math.max(1, Math.ceil(resetMs / SECOND)),
    })
  }
  return {
    /** Counts a try before it is known how it ends. Throws a Problem with the time to wait when it is one too many. */
    async take(name: string, address: string): Promise<void> {
      await take(ofAddress(address), PER_ADDRESS)
      await take(ofName(name), PER_NAME)
    },
    /** The password was right. */
    async forgive(name: string, address: string): Promise<void> {
      allowances.giveBack(ofAddress(address), 1)
      await allowances.forget(ofName(name))
    },
  }
}
export type LoginLimits = ReturnType<typeof createLoginLimits>
