import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { MINUTE, SECOND } from '../lib/units.ts'

/** Verdicts of other processes are known here after this time. */
const REFRESH_MS = MINUTE
/** What was changed at the time of the last look may have been committed after it. */
const OVERLAP_MS = 10 * SECOND
const MAX_TOKENS = 10_000

/**
 * The tokens that something is held against, so that a push that a provider takes all the same is noticed without a question to
 * the database for each push.
 *
 * @param load the newest verdicts since a moment (ms since the epoch)
 */
export function createContestedTokens(deps: {
  load: (since: number, limit: number) => Promise<readonly { tokenHash: string }[]>
  clock: Clock
  onError: (error: Error) => void
}) {
  const { clock } = deps
  const tokens = new Set<string>()
  let loadedUntil = OVERLAP_MS
  let refreshAt = Number.NEGATIVE_INFINITY

  const add = (tokenHash: string) => {
    tokens.delete(tokenHash)
    tokens.add(tokenHash)
    if (tokens.size <= MAX_TOKENS) return
    const [oldest = tokenHash] = tokens
    tokens.delete(oldest)
  }
  const refresh = async () => {
    const startedAt = clock.now()
    try {
      const found = await deps.load(loadedUntil - OVERLAP_MS, MAX_TOKENS)
      for (const { tokenHash } of found.toReversed()) add(tokenHash)
      loadedUntil = startedAt
    } catch (error) {
      deps.onError(toError(error))
    }
  }

  return {
    add,
    drop: (tokenHash: string): void => void tokens.delete(tokenHash),
    /** True once for a token that is known here. */
    take(tokenHash: string): boolean {
      if (clock.monotonic() >= refreshAt) {
        refreshAt = clock.monotonic() + REFRESH_MS
        void refresh()
      }
      return tokens.delete(tokenHash)
    },
  }
}
