import type { Clock } from '../lib/clock.ts'
import { HOUR, SECOND } from '../lib/units.ts'
import type { Count, Counters } from '../limits/counters.ts'
import { createRecentMap } from '../limits/recent-map.ts'

/** Counts of all nodes that never fail. */
export type LoginCounts = Pick<Counters, 'add' | 'read' | 'forget'>

/** With the shared counters away each node counts by itself: a guesser gets some more guesses, and everybody else can log in. */
export function createLoginCounts(counters: Counters, clock: Pick<Clock, 'monotonic'>): LoginCounts {
  const here = createRecentMap<{ total: number; endsAt: number }>(clock, { keepMs: HOUR, most: 50_000 })
  const readHere = (key: string): Count | undefined => {
    const known = here.get(key)
    const msLeft = (known?.endsAt ?? 0) - clock.monotonic()
    return known && msLeft > 0 ? { total: known.total, msLeft } : undefined
  }
  const addHere = (key: string, points: number, windowSeconds: number): Count => {
    const { total, msLeft } = readHere(key) ?? { total: 0, msLeft: windowSeconds * SECOND }
    here.set(key, { total: total + points, endsAt: clock.monotonic() + msLeft })
    return { total: total + points, msLeft }
  }
  return {
    // The counters themselves tell of their failures.
    add: (key, points, windowSeconds) =>
      counters.add(key, points, windowSeconds).catch(() => addHere(key, points, windowSeconds)),
    read: (key) => counters.read(key).catch(() => readHere(key)),
    async forget(key) {
      here.delete(key)
      await counters.forget(key).catch(() => undefined)
    },
  }
}
