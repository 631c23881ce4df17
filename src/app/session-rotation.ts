import { SECOND } from '../lib/units.ts'

/** An answer that was lost on the way may be asked for again for so long. */
export const REPEAT_MS = 10 * SECOND

/** What decides over a refresh token. */
export interface RefreshState {
  /** The number of the token that is good; undefined: the session has none. */
  generation?: number
  /** When it took the place of the one before. */
  refreshedAt?: Date
  revokedAt?: Date
  expiresAt: Date
}

/**
 * `rotate`: it was the good one, and the next takes its place. `repeat`: it was, a moment ago, and its successor has not been used:
 * the same successor is told again, because a phone that loses the network loses answers. `reuse`: it was used, so two have it.
 * `refuse`: nothing is known to be wrong, but it is not good.
 *
 * A thief who brings a token within the moment after its owner has no more than the owner's own successor: they hold the same one,
 * and whoever comes second to the next rotation ends the session.
 */
export type RefreshVerdict = 'rotate' | 'repeat' | 'reuse' | 'refuse'

/** @param generation of a token that is certainly ours */
export function judgeRefresh(state: RefreshState, generation: number, now: Date): RefreshVerdict {
  const { generation: good, refreshedAt, revokedAt, expiresAt } = state
  if (revokedAt || expiresAt <= now || good === undefined) return 'refuse'
  if (generation === good) return 'rotate'
  // From before a backup was restored: nobody can say who else has it.
  if (generation > good) return 'refuse'
  const agoMs = now.getTime() - (refreshedAt?.getTime() ?? Number.NEGATIVE_INFINITY)
  return generation === good - 1 && agoMs <= REPEAT_MS ? 'repeat' : 'reuse'
}
