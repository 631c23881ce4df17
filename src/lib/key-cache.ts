import { within } from './deadline.ts'
import { SECOND } from './units.ts'

/** A revoked key stops working within this time on every node. */
const FRESH_MS = 5 * SECOND
/** With the database away, a key that worked this recently goes on working: calls must not die with it. */
const STALE_MS = 15 * 60 * SECOND
/** A database that takes longer is as good as away. */
const LOOKUP_MS = 500
/** Who is known waits less: a call has half a second in all, and a hold ends when it should. */
const REFRESH_MS = 150
/** A database that did not answer is not asked again for so long about keys that are known. */
const PROBE_EVERY_MS = SECOND
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
  let awayUntil = Number.NEGATIVE_INFINITY

  const ask = (keyHash: string): Promise<Found | undefined> => {
    const already = asking.get(keyHash)
    if (already !== undefined) return already
    // Also an answer that comes too late for who asked is remembered: it may say that the key was revoked.
    const found = find(keyHash).then((own) => {
      remember(keyHash, own)
      return own
    })
    const answer = within(isKnown(keyHash) ? REFRESH_MS : LOOKUP_MS, 'looking a key up', found)
      .catch((error: unknown) => {
        if (!isKnown(keyHash)) throw error
        awayUntil = performance.now() + PROBE_EVERY_MS
        onError(error)
        return known.get(keyHash)?.found
      })
      .finally(() => asking.delete(keyHash))
    asking.set(keyHash, answer)
    return answer
  }
  const isKnown = (keyHash: string): boolean => {
    const last = known.get(keyHash)
    return last !== undefined && performance.now() - last.at <= STALE_MS
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
      if (entry && isKnown(keyHash) && performance.now() < awayUntil) return entry.found
      return ask(keyHash)
    },
  }
}
export type KeyCache<Found> = ReturnType<typeof createKeyCache<Found>>
