import { inTime } from './deadline.ts'
import { SECOND } from './units.ts'

/** A revoked key stops working within 5 s on every node: this from the moment that its last look-up was asked, and the time of the next. */
const FRESH_MS = 4 * SECOND
/** A database that takes longer is as good as away. */
const LOOKUP_MS = 500
/** Who is known waits less: a call has half a second in all, and a hold ends when it should. */
const REFRESH_MS = 150
/** A database that did not answer is not asked again for so long about keys that are known. */
const PROBE_EVERY_MS = SECOND
/** Of each kind. Wrong keys are remembered apart from the good ones, so that a guesser cannot make us forget those. */
const MAX_ENTRIES = 10_000

export interface KeyCacheOptions<Found> {
  /** Looks the hash up; a rejection means that the store could not be asked. */
  find(keyHash: string): Promise<Found | undefined>
  onError(error: unknown): void
  /** With the database away, a key that worked this recently goes on working: calls must not die with it. */
  staleMs: number
}

/** What a key is, as far as is known. */
export interface KeyFinding<Found> {
  /** Undefined: nobody's. */
  found: Found | undefined
  /** The store cannot be asked, and this is what it said last. */
  isStale: boolean
}

/** Remembers what a key was found to be. Many askers for one key share one look-up. */
export function createKeyCache<Found>({ find, onError, staleMs }: KeyCacheOptions<Found>) {
  const good = createMemory<Found>()
  const wrong = createMemory<undefined>()
  const asking = new Map<string, Promise<KeyFinding<Found>>>()
  let awayUntil = Number.NEGATIVE_INFINITY

  const remember = (keyHash: string, found: Found | undefined, askedAt: number) => {
    // What was asked earlier knows less, however late its answer comes: it may have been asked before the key was revoked.
    if ((good.get(keyHash) ?? wrong.get(keyHash) ?? NEVER).at > askedAt) return
    ;(found === undefined ? good : wrong).delete(keyHash)
    if (found === undefined) wrong.set(keyHash, undefined, askedAt)
    else good.set(keyHash, found, askedAt)
  }
  const known = (keyHash: string) => {
    const entry = good.get(keyHash)
    return entry && performance.now() - entry.at <= staleMs ? entry : undefined
  }

  const ask = (keyHash: string): Promise<KeyFinding<Found>> => {
    const already = asking.get(keyHash)
    if (already !== undefined) return already
    const askedAt = performance.now()
    // Also an answer that comes too late for who asked is remembered: it may say that the key was revoked.
    const asked = find(keyHash).then((found) => {
      remember(keyHash, found, askedAt)
      return { found, isStale: false }
    })
    const answer = inTime(known(keyHash) ? REFRESH_MS : LOOKUP_MS, 'looking a key up', asked)
      .catch((error: unknown) => {
        const last = known(keyHash)
        if (!last) throw error
        awayUntil = performance.now() + PROBE_EVERY_MS
        onError(error)
        return { found: last.value, isStale: true }
      })
      .finally(() => asking.delete(keyHash))
    asking.set(keyHash, answer)
    return answer
  }

  return {
    /** Rejects when the store cannot be asked about a key that is not known. */
    async get(keyHash: string): Promise<KeyFinding<Found>> {
      const now = performance.now()
      const entry = good.get(keyHash) ?? wrong.get(keyHash)
      if (entry && now - entry.at < FRESH_MS) return { found: entry.value, isStale: false }
      const last = known(keyHash)
      if (last && now < awayUntil) return { found: last.value, isStale: true }
      return ask(keyHash)
    },
    /** Whether this process has seen the key work and has not heard otherwise. Asks nobody. */
    isKnown: (keyHash: string): boolean => good.get(keyHash) !== undefined,
  }
}
export type KeyCache<Found> = ReturnType<typeof createKeyCache<Found>>

const NEVER = { at: Number.NEGATIVE_INFINITY }

/** The last so many values, with the time they were asked for. */
function createMemory<Value>() {
  const entries = new Map<string, { value: Value; at: number }>()
  return {
    get: (key: string) => entries.get(key),
    delete: (key: string) => entries.delete(key),
    set(key: string, value: Value, at: number): void {
      entries.delete(key)
      entries.set(key, { value, at })
      const [oldest] = entries.keys()
      if (entries.size > MAX_ENTRIES && oldest !== undefined) entries.delete(oldest)
    },
  }
}
