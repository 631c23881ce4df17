import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import type { CallOutcome, CallState, CallWake } from './call-wake.ts'
import type { CallWatch, CallWatches } from './call-watch.ts'

/** The last look belongs to the hold: with a frozen store it ends this much late at most. */
const LAST_LOOK_MS = 60

export interface HoldResult {
  outcome: CallOutcome | 'waking'
  state: CallState
}

export interface HoldOptions {
  /** Monotonic milliseconds at which the answer is due. */
  deadline: number
  /** Sends the pushes; called once, when waiting has begun and nothing has been decided yet. */
  push?: () => Promise<void>
  /** Aborts when nobody waits for the answer any more. */
  signal: AbortSignal
}

/**
 * Waits for a call's phones. Register the waiter, subscribe, read the state, push, wait: whatever happens after the first step
 * is seen, in whatever order, and one monotonic deadline ends it whatever the stores do.
 */
export function createHold(deps: { watches: CallWatches; clock: Clock; onError: (error: Error) => void }) {
  return {
    waiting: deps.watches.count,
    async hold(call: CallWake, { deadline, push, signal }: HoldOptions): Promise<HoldResult> {
      const watch = deps.watches.open(call, deadline, signal)
      try {
        await watch.begin()
        // A phone may register before the last push has been handed over; a push that cannot be handed over ends the hold.
        const pushed = !watch.outcome() && !signal.aborted ? push?.() : undefined
        const decided = untilDecided(watch)
        await Promise.race([decided, Promise.resolve(pushed).then(() => decided)])
        pushed?.catch((error: unknown) => deps.onError(toError(error)))
        if (!watch.outcome() && !signal.aborted) await watch.look(LAST_LOOK_MS)
      } finally {
        watch.close()
      }
      const isOver = deps.clock.now() >= call.expiresAt
      return { outcome: watch.outcome() ?? (isOver || push ? 'timeout' : 'waking'), state: watch.state() }
    },
  }
}
export type Hold = ReturnType<typeof createHold>

async function untilDecided(watch: CallWatch): Promise<void> {
  while (!watch.isOver() && !watch.outcome()) await watch.next()
}
