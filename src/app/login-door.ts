import { setTimeout as delay } from 'node:timers/promises'
import { Problem } from '../lib/problem.ts'

/** More than the threads hash in a quarter of a second: nobody gains by waiting behind them. */
const MOST_INSIDE = 32
/** Who asks over and over gets two answers a second per connection. */
const HOLD_MS = 500
/** A held answer is a socket and a timer. */
const MOST_HELD = 2_000

/**
 * Before everything else of a login: so many at a time per process, and whoever is refused waits for it a moment. Both are there for the
 * calls, which share the process with who guesses passwords as fast as he is answered.
 */
export function createLoginDoor() {
  let inside = 0
  let held = 0

  const hold = async (signal: AbortSignal): Promise<void> => {
    if (held >= MOST_HELD) return
    held += 1
    // Nobody is there any more for whom to wait.
    await delay(HOLD_MS, undefined, { signal }).catch(() => undefined)
    held -= 1
  }

  return {
    async pass<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
      try {
        if (inside >= MOST_INSIDE) throw new Problem('rate_limited', { retryAfter: 1 })
        inside += 1
        try {
          return await work()
        } finally {
          inside -= 1
        }
      } catch (thrown) {
        if (thrown instanceof Problem && thrown.status === 429) await hold(signal)
        throw thrown
      }
    },
  }
}
export type LoginDoor = ReturnType<typeof createLoginDoor>
