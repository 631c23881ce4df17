import type { Clock } from '../lib/clock.ts'
import type { AcceptedPush } from './push-listeners.ts'

export interface CourierRules<P> {
  /** What is kept for a phone under the same slot takes the place of what was kept there before. */
  slotOf(push: P): unknown
  /** Until when it is worth keeping: milliseconds since the epoch. */
  keepUntil(push: P): number
  clock: Clock
}

/** The last mile: a push goes to its phone at once, or is kept for it while the phone has no connection to its vendor. */
export function createCourier<P extends AcceptedPush>(
  { slotOf, keepUntil, clock }: CourierRules<P>,
  handOver: (push: P) => void,
) {
  const away = new Map<string, Map<unknown, P>>()
  const isWorthKeeping = (push: P) => keepUntil(push) > clock.now()
  return {
    carry(push: P): void {
      const kept = away.get(push.token)
      if (!kept) handOver(push)
      else if (isWorthKeeping(push)) {
        const slot = slotOf(push)
        // Removed first, so that it comes in the order of the newest.
        kept.delete(slot)
        kept.set(slot, push)
      }
    },
    /** The phone with this token is switched off, or has no network. */
    loses(token: string): void {
      if (!away.has(token)) away.set(token, new Map())
    },
    /** It is back, and gets what was kept and is still good, oldest first. */
    regains(token: string): void {
      const kept = [...(away.get(token)?.values() ?? [])]
      away.delete(token)
      for (const push of kept) if (isWorthKeeping(push)) handOver(push)
    },
    /** What is kept for it now. */
    keptFor: (token: string): readonly P[] => [...(away.get(token)?.values() ?? [])].filter(isWorthKeeping),
  }
}
