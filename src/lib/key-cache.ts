import { within } from './deadline.ts'
import { SECOND } from './units.ts'

/** A revoked key stops working within this time on every node. */
const FRESH_MS = 5 * SECOND
/** With the database away, a key that worked this recently goes on working: calls must not die with it. */
const STALE_MS = 15 * 60 * SECOND
/** A database that takes longer is as good as away. */
const LOOKUP_MS = 500
/** Wrong keys are remembered, too; the bound keeps a guesser from filling the memory. */
const MAX_ENTRIES = 10_000

/**
 * Remembers what a key was found to be. Many askers for one key share one look-up.
 *
 * @param find looks the hash up; a rejection means that the store could not be asked
 */
export function createKeyCache<Found>(
  find: (keyHash: string) => Promise<Found | undefined>,
  onError: (error: unknown) => void,
) {
  const known = new Map<string, { found: Found | undefined; at: number }>()
  const asking = new Map<string, Promise<Found | undefined>>()

  const ask = (keyHash: string): Promise<Found | undefined> => {
    const already = asking.get(keyHash)
    if (already !== undefined) return already
    const answer = within(LOOKUP_MS, 'looking a key up', find(keyHash))
      .then((found) => {
        remember(keyHash, found)
        return found
      })
      .catch((error: unknown) => {
        const last = known.get(keyHash)
        if (!last || performance.now() - last.at > STALE_MS) throw error
        onError(error)
        return last.found
      })
      .finally(() => asking.delete(keyHash))
    asking.set(keyHash, answer)
    return answer
  }
  const remember = (keyHash: string, found: Found | undefined) => {
    known.delete(keyHash)
    known.set(keyHash, { found, at: performance.now() })
    const [oldest] = known.keys()
    if (known.size > MAX_ENTRIES && oldest !== undefined) known.delete(oldest)
  }

  return {
    async get(keyHash: string): Promise<Found | undefined> {
      const entry = known.get(keyHash)
      if (entry && performance.now() - entry.at < FRESH_MS) return entry.found
      return ask(keyHash)
    },
  }
}
export type KeyCache<Found> = ReturnType<typeof createKeyCache<Found>>
