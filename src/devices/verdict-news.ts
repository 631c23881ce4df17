import { type Announce, describeVerdict, type TokenVerdict, VERDICT_EVENTS } from './token-verdict.ts'

/**
 * Tells owners what becomes of their tokens. With the `announce` of the transaction that changes the verdict, so that nobody is
 * told what did not happen, and nothing happens that nobody is told.
 */

/** A verdict that is new or has another state now. */
export const tellJudged = (announce: Announce, verdict: TokenVerdict): Promise<void> =>
  announce(verdict.tenantId, { type: VERDICT_EVENTS[verdict.state], data: describeVerdict(verdict) })

/** Verdicts that a provider has contradicted by taking a push to the token. */
export async function tellRestored(announce: Announce, verdicts: readonly TokenVerdict[]): Promise<void> {
  for (const verdict of verdicts) {
    const data = { ...describeVerdict(verdict), state: 'valid' }
    await announce(verdict.tenantId, { type: VERDICT_EVENTS.restored, data })
  }
}
