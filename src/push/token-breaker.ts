import type { Clock } from '../lib/clock.ts'
import { MINUTE } from '../lib/units.ts'
import type { ApnsEnvironment } from './push.ts'
import type { Provider } from './push-kinds.ts'

/** Tokens that fail alike by then are not the tokens' fault. */
export const MAX_ALIKE = 5
export const MAX_SHARE = 0.2
export const WINDOW_MS = MINUTE
/** Per app, provider and environment. Beyond it the oldest answers go early: the shares stay true, of a shorter time. */
export const MAX_TOKENS = 50_000

/** What shares one set of credentials, and so one way to be configured wrongly. */
export interface BreakerScope {
  appId: string
  provider: Provider
  environment: ApnsEnvironment
}

/**
 * Tells a token that is bad from a configuration that is: open for a reason while it was the last word on more than 5 tokens, and
 * on more than a fifth of all tokens of the app that were answered within the last minute. What is said against tokens then counts
 * for nothing. It closes by itself when that is no longer so.
 *
 * Each process judges by what it has sent itself: jobs are spread evenly over the workers, so that each sees the same shares, and
 * a store that all share would be one more thing that can be away.
 */
export interface TokenBreaker {
  /** @param complaint the reason when the answer speaks against the token */
  observe(scope: BreakerScope, tokenHash: string, complaint: string | undefined): void
  isOpen(scope: BreakerScope, reason: string): boolean
  /** Closes what time has closed; true while anything is open. Needed only when no answers come. */
  review(): boolean
}

export function createTokenBreaker(deps: {
  clock: Pick<Clock, 'monotonic'>
  onChange: (scope: BreakerScope, reason: string, isOpen: boolean) => void
}): TokenBreaker {
  const windows = new Map<string, Window>()
  const windowOf = ({ appId, provider, environment }: BreakerScope): Window => {
    const key = `${appId} ${provider} ${environment}`
    const known = windows.get(key)
    if (known) return known
    // Not the scope as it was given: it may be a whole push, and would stay in memory with its token.
    const scope = { appId, provider, environment }
    const window = createWindow((reason, isOpen) => deps.onChange(scope, reason, isOpen))
    windows.set(key, window)
    return window
  }
  return {
    observe: (scope, tokenHash, complaint) =>
      windowOf(scope).add(tokenHash, complaint, deps.clock.monotonic()),
    isOpen: (scope, reason) => windowOf(scope).openAt(deps.clock.monotonic()).has(reason),
    review() {
      const now = deps.clock.monotonic()
      return [...windows.values()].map((window) => window.openAt(now).size).some((size) => size > 0)
    },
  }
}

type Window = ReturnType<typeof createWindow>

/** The last words on each token, as a ring from the newest to the oldest; the ring itself is a word on no token. */
interface Word {
  tokenHash: string
  complaint: string | undefined
  /** Monotonic milliseconds. */
  at: number
  older: Word
  newer: Word
}

function createWindow(onChange: (reason: string, isOpen: boolean) => void) {
  const words = new Map<string, Word>()
  const ring = {} as Word
  ring.older = ring.newer = ring
  /** On how many tokens a complaint is the last word. */
  const alike = new Map<string, number>()
  const open = new Set<string>()

  const count = ({ complaint }: Word, by: 1 | -1) => {
    if (complaint === undefined) return
    const tokens = (alike.get(complaint) ?? 0) + by
    if (tokens > 0) alike.set(complaint, tokens)
    else alike.delete(complaint)
  }
  const forget = (now: number) => {
    for (let oldest = ring.newer; oldest !== ring; oldest = ring.newer) {
      if (oldest.at > now - WINDOW_MS && words.size <= MAX_TOKENS) return
      takeOut(oldest)
      words.delete(oldest.tokenHash)
      count(oldest, -1)
    }
  }
  const isTooMany = (reason: string) => {
    const tokens = alike.get(reason) ?? 0
    return tokens > MAX_ALIKE && tokens > MAX_SHARE * words.size
  }
  const decide = () => {
    for (const reason of alike.keys()) {
      if (open.has(reason) || !isTooMany(reason)) continue
      open.add(reason)
      onChange(reason, true)
    }
    for (const reason of open) {
      if (isTooMany(reason)) continue
      open.delete(reason)
      onChange(reason, false)
    }
  }

  return {
    add(tokenHash: string, complaint: string | undefined, at: number): void {
      const known = words.get(tokenHash)
      if (known) {
        takeOut(known)
        count(known, -1)
      }
      const word = known ?? { tokenHash, complaint, at, older: ring, newer: ring }
      word.complaint = complaint
      word.at = at
      putBetween(ring.older, word, ring)
      if (!known) words.set(tokenHash, word)
      count(word, 1)
      forget(at)
      // Without a complaint there is nothing to decide, which is nearly always.
      if (alike.size > 0 || open.size > 0) decide()
    },
    openAt(now: number): ReadonlySet<string> {
      forget(now)
      decide()
      return open
    },
  }
}

function takeOut({ older, newer }: Word): void {
  older.newer = newer
  newer.older = older
}

function putBetween(older: Word, word: Word, newer: Word): void {
  older.newer = word
  newer.older = word
  word.older = older
  word.newer = newer
}
