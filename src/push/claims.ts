import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Signals } from '../signals/signals.ts'
import { outcomeKey } from './outcomes.ts'
import type { PushResult } from './push-result.ts'

/** A claim outlives every retry of a call push. */
const CLAIM_MS = 5 * MINUTE
/** Takes the place of the claimant when a try is over and nothing has rung. */
const OVER = 'over'
/** A store that breaks is asked again after so long, */
const PAUSE_MS = 100
/** and for so long at least, even when the time of the push is over: it may have been sent before. */
const INSIST_MS = SECOND

/**
 * Whether a try may be made, and which one it is then: those for which the store could not be asked were never begun, and count
 * for nothing. `lost`: somebody began one at `since` (ms since the epoch; 0: long ago) and nobody can say how it ended. `over`: all
 * were made and came to nothing, so the next one is due.
 */
export type Right =
  | { is: 'granted'; attempt: number }
  | { is: 'known'; result: PushResult }
  | { is: 'lost'; since: number }
  | { is: 'over' }

/** Who asks, and until when the right is of use to him (ms since the epoch). */
export interface Claimant {
  /** Unique for each run of a job: what stands under the key is then ours or surely somebody else's. */
  holder: string
  until: number
}

/** Sees to it that a try is made once, however many workers hold its job: a phone must not ring twice for one call. */
export interface Claims {
  take(pushId: string, attempt: number, claimant: Claimant): Promise<Right>
  /** The try is over without a ring. Never rejects: without the note the next try is not made. */
  release(pushId: string, attempt: number): Promise<void>
}

const claimKey = (pushId: string, attempt: number): string => `claim.${pushId}.${attempt}`

interface ClaimsDeps {
  signals: Signals
  clock: Clock
  onError: (error: Error) => void
}

/**
 * Claims that all processes see. A store that breaks is asked again; `take` rejects when it cannot be asked in time: then nobody
 * may send.
 */
export function createClaims({ signals, clock, onError }: ClaimsDeps): Claims {
  const known = async (pushId: string): Promise<PushResult | undefined> => {
    const [value] = await signals.get([outcomeKey(pushId)])
    return value === undefined ? undefined : (JSON.parse(value) as PushResult)
  }
  const begun = async (pushId: string, by: string): Promise<Right> => {
    const result = await known(pushId)
    return result ? { is: 'known', result } : { is: 'lost', since: Number.parseInt(by, 10) || 0 }
  }
  const ask = async (pushId: string, attempt: number, holder: string): Promise<Right> => {
    const earlier = Array.from({ length: attempt }, (_, number) => claimKey(pushId, number))
    // A queue may repeat a job that had ended well (a connection that breaks at the wrong moment), so look first.
    const before = await signals.get(earlier)
    const open = before.findIndex((value) => value !== OVER)
    const wanted = open === -1 ? attempt : open
    const held = before[wanted]
    const claim = held?.endsWith(` ${holder}`) ? held : `${clock.now()} ${holder}`
    if (held !== undefined && held !== claim) return begun(pushId, held)
    const by = await signals.claim(claimKey(pushId, wanted), claim, CLAIM_MS)
    // Ours already: the store did what we asked of it and could not say so.
    if (by === undefined || by.endsWith(` ${holder}`)) return { is: 'granted', attempt: wanted }
    return by === OVER ? { is: 'over' } : begun(pushId, by)
  }

  return {
    async take(pushId, attempt, { holder, until }) {
      const end = Math.max(until, clock.now() + INSIST_MS)
      for (;;) {
        try {
          return await ask(pushId, attempt, holder)
        } catch (error) {
          if (clock.now() + PAUSE_MS >= end) throw error
          await delay(PAUSE_MS, undefined, { ref: false })
        }
      }
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
    take: (pushId, attempt, claimant) => {
      const granted = { is: 'granted', attempt } as const
      if (attempt > 0) return Promise.resolve(granted)
      // The store is away: that is why we are here, and it has been told. It goes on being asked, so that a worker that gets the
      // job when it is back finds the claim.
      return within(ASK_MS, 'claiming a push', claims.take(pushId, 0, claimant)).catch(() => granted)
    },
    release: () => Promise.resolve(),
  }
}
