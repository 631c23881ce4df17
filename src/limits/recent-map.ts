import type { Clock } from '../lib/clock.ts'

/** Entries of the last while, of which no more than so many are kept. */
export interface RecentMap<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
}

/**
 * Keeps an entry for at least `keepMs` after it was last asked for, and forgets it within twice that; sooner only when there are
 * more than `most` of them. Two generations instead of a time per entry: nothing is ever searched, and there is no timer.
 */
export function createRecentMap<Value>(
  clock: Pick<Clock, 'monotonic'>,
  { keepMs, most }: { keepMs: number; most: number },
): RecentMap<Value> {
  let young = new Map<string, Value>()
  let old = new Map<string, Value>()
  let turnsAt = clock.monotonic() + keepMs

  const turn = () => {
    const now = clock.monotonic()
    if (now < turnsAt && young.size < most / 2) return
    // Nobody asked for so long that the old ones are too old as well.
    old = now < turnsAt + keepMs ? young : new Map()
    young = new Map()
    turnsAt = now + keepMs
  }

  return {
    get(key) {
      turn()
      const value = young.get(key)
      if (value !== undefined) return value
      const kept = old.get(key)
      if (kept !== undefined) young.set(key, kept)
      return kept
    },
    set(key, value) {
      turn()
      young.set(key, value)
    },
    delete(key) {
      young.delete(key)
      old.delete(key)
    },
  }
}
