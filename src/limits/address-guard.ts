import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import { clientNetwork } from './client-network.ts'
import type { Counters } from './counters.ts'
import { secondsOf } from './push-limits.ts'
import { createSuspects, FAULTS, type Rule, type Suspect, WINDOW_SECONDS, WRONG_KEYS } from './suspects.ts'

/** Stops whoever tries keys, before anything is looked up, and whoever sends what nobody can understand. */
export interface AddressGuard {
  /**
   * Throws `rate_limited` with `Retry-After` while the address is blocked. A key that was refused for that and comes again passes
   * once in a while: a node that was restarted knows no key, and must not silence a PBX for who else is behind its address.
   *
   * @param keyHash of the key that would be looked up
   */
  check(address: string, keyHash?: string): Promise<void>
  /** Counts a key that nobody has. */
  failed(address: string): Promise<void>
  /** Counts a request that was refused before anybody knew whose it is. */
  faulted(address: string): Promise<void>
}

export interface AddressGuardDeps {
  counters: Counters
  clock: Clock
  events: Pick<Events, 'addressBlocked'>
  /** False: nobody is blocked. */
  isOn: boolean
}

/** Doubles with each further block: of 128 random bits nobody finds any, and after a day he has tried some 2,000. */
const FIRST_BLOCK_SECONDS = 30
const LONGEST_BLOCK_SECONDS = HOUR / SECOND

/** Counts over all nodes. A blocked address costs nothing, and with the store away each node counts by itself. */
export function createAddressGuard({ counters, clock, events, isOn }: AddressGuardDeps): AddressGuard {
  const suspects = createSuspects(clock)

  /** How often all nodes have blocked it, this one included; a day without a block and it begins again. */
  const countBlock = async (network: string, suspect: Suspect): Promise<number> => {
    const today = Math.floor(clock.now() / DAY)
    const key = (day: number) => `guard-blocks.${network}.${day}`
    const here = suspect.blocks + 1
    const counted = await Promise.all([
      counters.add(key(today), 1, (2 * DAY) / SECOND),
      counters.read(key(today - 1)),
    ]).catch(() => undefined)
    if (!counted) return here
    return counted[0].total + (counted[1]?.total ?? 0)
  }

  const block = async (network: string, suspect: Suspect): Promise<void> => {
    const blocks = await countBlock(network, suspect)
    const seconds = Math.min(LONGEST_BLOCK_SECONDS, FIRST_BLOCK_SECONDS * 2 ** Math.min(blocks - 1, 20))
    const now = clock.monotonic()
    const blockedUntil = Math.max(suspect.blockedUntil, now + seconds * SECOND)
    Object.assign(suspect, { blocks, lastBlockAt: now, blockedUntil })
    events.addressBlocked(network, seconds)
    // For the other nodes: it is there for as long as the block lasts.
    await counters.add(`guard-blocked.${network}`, 1, seconds).catch(() => undefined)
  }

  /** What another node has decided, or is about to: blocked for `leastMs` in any case. */
  const learn = async (network: string, suspect: Suspect, leastMs: number): Promise<void> => {
    const known = await counters.read(`guard-blocked.${network}`).catch(() => undefined)
    const until = clock.monotonic() + Math.max(leastMs, known?.msLeft ?? 0)
    suspect.blockedUntil = Math.max(suspect.blockedUntil, until)
  }

  const count = async (address: string, { name, most }: Rule): Promise<void> => {
    if (!isOn) return
    const network = clientNetwork(address)
    const suspect = suspects.of(network)
    suspect.counts[name] += 1
    const here = suspect.counts[name]
    const counted = await counters.add(`${name}.${network}`, 1, WINDOW_SECONDS).catch(() => undefined)
    if (clock.monotonic() < suspect.blockedUntil) return
    const isTooMany = (counted?.total ?? here) > most
    // Exactly one asker over all nodes sees the first number beyond; with the store away this node decides alone.
    if (isTooMany && (counted?.total ?? most + 1) === most + 1) {
      await block(network, suspect)
    } else if (isTooMany || here === 1) {
      await learn(network, suspect, isTooMany ? (counted?.msLeft ?? 0) : 0)
    }
  }

  return {
    async check(address, keyHash) {
      const network = clientNetwork(address)
      const suspect = suspects.known(network)
      const leftMs = (suspect?.blockedUntil ?? 0) - clock.monotonic()
      if (!isOn || !suspect || leftMs <= 0) return
      if (keyHash !== undefined && suspects.mayLookAgain(network, suspect, keyHash)) return
      throw new Problem('rate_limited', {
        retryAfter: secondsOf(leftMs),
        extra: {
          hint: `too many wrong keys or faulty requests from this address: try again in ${Math.ceil(leftMs / MINUTE)} min`,
        },
      })
    },

    failed: (address) => count(address, WRONG_KEYS),
    faulted: (address) => count(address, FAULTS),
  }
}
