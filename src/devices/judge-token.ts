import { MINUTE } from '../lib/units.ts'
import type { TokenVerdict } from './token-verdict.ts'

/** A suspect token is believed to be dead after this time at the earliest. */
export const CONFIRM_AFTER_MS = 10 * MINUTE

/** What the push log says since a moment (ms since the epoch); asked only when it matters. */
export interface Evidence {
  wasDelivered(since: number): Promise<boolean>
  appHasWorked(since: number): Promise<boolean>
}

/**
 * What becomes of a token that a provider speaks against, maybe for the fault of somebody else: a wrong environment, topic or
 * project looks like a bad token. So it is dead only when the same is said of it ten minutes later, while the app's credentials
 * worked for other tokens, and this one was not delivered to in between.
 *
 * @param said the accusation as a verdict of its own
 * @param standing what is held against the token so far
 */
export async function judgeSuspect(
  said: TokenVerdict,
  standing: TokenVerdict | undefined,
  evidence: Evidence,
): Promise<TokenVerdict> {
  if (!standing) return said
  const { firstAt, state } = standing
  if (state === 'quarantined') {
    if (standing.reason !== said.reason || standing.appId !== said.appId) return said
    if (said.lastAt - firstAt < CONFIRM_AFTER_MS) return again(standing, said)
  }
  // It has worked since then, so what was said then is no longer true.
  if (await evidence.wasDelivered(firstAt)) return said
  const isDead = state === 'dead' || (await evidence.appHasWorked(firstAt))
  return { ...again(standing, said), state: isDead ? 'dead' : 'quarantined' }
}

/** A provider says for certain that the token is dead. */
export const judgeDead = (said: TokenVerdict, standing: TokenVerdict | undefined): TokenVerdict =>
  standing?.state === 'dead' && standing.reason === said.reason ? again(standing, said) : said

/** The same once more. Who it belongs to may have changed. */
const again = (standing: TokenVerdict, said: TokenVerdict): TokenVerdict => ({
  ...said,
  state: standing.state,
  reason: standing.reason,
  detail: standing.detail,
  firstAt: standing.firstAt,
  lastAt: Math.max(standing.lastAt, said.lastAt),
  times: standing.times + 1,
})
