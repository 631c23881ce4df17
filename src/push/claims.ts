import { within } from '../lib/deadline.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Signals } from '../signals/signals.ts'
import { outcomeKey } from './outcomes.ts'
import type { PushResult } from './push-result.ts'

/** A claim outlives every retry of a call push. */
const CLAIM_MS = 5 * MINUTE
/** Takes the place of the claimant when a try is over and nothing has rung. */
const OVER = 'over'

/**
 * Whether a try may be made. `lost`: somebody began it, or the one before, and nobody can say how it ended. `over`: this try was
 * made and came to nothing, so the next one is due.
 */
export type Right = { is: 'granted' } | { is: 'known'; result: PushResult } | { is: 'lost' } | { is: 'over' }

/** Sees to it that a try is made once, however many workers hold its job: a phone must not ring twice for one call. */
export interface Claims {
  take(pushId: string, attempt: number, holder: string): Promise<Right>
  /** The try is over without a ring. Never rejects: without the note the next try is not made. */
  release(pushId: string, attempt: number): Promise<void>
}

const claimKey = (pushId: string, attempt: number): string => `claim.${pushId}.${attempt}`

/** Claims that all processes see. `take` rejects when the store cannot be asked: then nobody may send. */
export function createClaims(signals: Signals, onError: (error: Error) => void): Claims {
  const known = async (pushId: string): Promise<PushResult | undefined> => {
    const [value] = await signals.get([outcomeKey(pushId)])
    return value === undefined ? undefined : (JSON.parse(value) as PushResult)
  }
  const begun = async (pushId: string): Promise<Right> => {
    const result = await known(pushId)
    return result ? { is: 'known', result } : { is: 'lost' }
  }

  return {
    async take(pushId, attempt, holder) {
      if (attempt > 0) {
        // A queue may repeat a job that had ended well (a connection that breaks at the wrong moment), so look first.
        const [before] = await signals.get([claimKey(pushId, attempt - 1)])
        if (before !== OVER) return begun(pushId)
      }
      const by = await signals.claim(claimKey(pushId, attempt), holder, CLAIM_MS)
      if (by === undefined) return { is: 'granted' }
      return by === OVER ? { is: 'over' } : begun(pushId)
    },
    async release(pushId, attempt) {
      const noted = signals.put({ key: claimKey(pushId, attempt), value: OVER, ttlMs: CLAIM_MS })
      await within(SECOND, 'noting the end of a try', noted).catch(onError)
    },
  }
}

/** How long a slow store may keep a call from being sent past it. */
const ASK_MS = 150

/**
 * For a process that sends a push itself because the queue did not take the job. The job may have arrived all the same, so a
 * worker's claim counts when the store can be asked; when it cannot, no worker can have the job.
 */
export function createBypassClaims(claims: Claims): Claims {
  return {
    take: (pushId, attempt, holder) =>
      attempt > 0
        ? Promise.resolve({ is: 'granted' } as const)
        : within(ASK_MS, 'claiming a push', claims.take(pushId, 0, holder)).catch(
            // The store is away: that is why we are here, and it has been told.
            () => ({ is: 'granted' }) as const,
          ),
    release: () => Promise.resolve(),
  }
}
