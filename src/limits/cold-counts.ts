import type { Clock } from '../lib/clock.ts'

/** How often each of very many names came, of which nearly all come rarely. */
export interface ColdCounts {
  /** Adds one. `window`: how many that makes in this window; `lately`: in this and the one before. */
  add(name: string): { window: number; lately: number }
}

/** Of each window. Beyond it the next one begins early. */
const MOST = 100_000

/** A number per name and nothing else, in windows that all names share: what is remembered of each costs next to nothing. */
export function createColdCounts(clock: Pick<Clock, 'monotonic'>, windowMs: number): ColdCounts {
  let counts = new Map<string, number>()
  let before = new Map<string, number>()
  let endsAt = clock.monotonic() + windowMs

  const turn = () => {
    const now = clock.monotonic()
    if (now < endsAt && counts.size < MOST) return
    // Nobody came for a whole window: those of before are too old as well.
    before = now < endsAt + windowMs ? counts : new Map()
    counts = new Map()
    endsAt = now + windowMs
  }
  return {
    add(name) {
      turn()
      const window = (counts.get(name) ?? 0) + 1
      counts.set(name, window)
      return { window, lately: window + (before.get(name) ?? 0) }
    },
  }
}
