import type { Clock } from '../lib/clock.ts'
import { DAY, MINUTE, SECOND } from '../lib/units.ts'
import { createRecentMap } from './recent-map.ts'

/** A PBX with a wrong key asks for each of its calls; an office of them behind one address may do so for a while. */
export const WRONG_KEYS = { name: 'guard', most: 60 } as const
/** A program with a fault in it says the same wrong thing for each of its calls; it costs us no look-up. */
export const FAULTS = { name: 'guard-faults', most: 300 } as const
export type Rule = typeof WRONG_KEYS | typeof FAULTS
export const WINDOW_SECONDS = 30
/** Of a blocked address, so often a key is looked up that comes again. Who tries keys brings others each time. */
const SECOND_LOOK_MS = SECOND

/** What this node knows of an address. Times are monotonic. */
export interface Suspect {
  counts: Record<Rule['name'], number>
  windowEndsAt: number
  blockedUntil: number
  /** When a key was looked up last in spite of the block. */
  lookedAt: number
  /** Blocks so far, of which the last one began at `lastBlockAt`. */
  blocks: number
  lastBlockAt: number
}

/** What this node remembers of addresses that did something wrong. */
export function createSuspects(clock: Pick<Clock, 'monotonic'>) {
  const suspects = createRecentMap<Suspect>(clock, { keepMs: DAY / 2, most: 50_000 })

  /** Keys that were refused for a block, each with its network. */
  const refused = createRecentMap<true>(clock, { keepMs: 5 * MINUTE, most: 50_000 })

  const of = (network: string): Suspect => {
    const now = clock.monotonic()
    const suspect = suspects.get(network) ?? {
      ...{ counts: nothing(), windowEndsAt: 0, blockedUntil: 0, lookedAt: 0, blocks: 0, lastBlockAt: 0 },
    }
    if (now >= suspect.windowEndsAt) {
      Object.assign(suspect, { counts: nothing(), windowEndsAt: now + WINDOW_SECONDS * SECOND })
    }
    if (now - suspect.lastBlockAt > DAY) suspect.blocks = 0
    suspects.set(network, suspect)
    return suspect
  }

  return {
    of,
    known: (network: string): Suspect | undefined => suspects.get(network),
    /** Whether a key that was refused for a block may be looked up all the same. */
    mayLookAgain(network: string, suspect: Suspect, keyHash: string): boolean {
      const name = `${network} ${keyHash}`
      const now = clock.monotonic()
      if (!refused.get(name)) refused.set(name, true)
      else if (now - suspect.lookedAt >= SECOND_LOOK_MS) {
        suspect.lookedAt = now
        return true
      }
      return false
    },
  }
}

const nothing = () => ({ guard: 0, 'guard-faults': 0 })
