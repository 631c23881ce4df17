import { setTimeout as delay } from 'node:timers/promises'

/** Calls `act` at random moments, on average `perSecond` times, as callers do who know nothing of each other (Poisson). */
export async function atPace(perSecond: number, durationMs: number, act: () => void): Promise<void> {
  const begin = performance.now()
  let next = begin
  for (;;) {
    const now = performance.now()
    if (now - begin > durationMs) return
    while (next <= now) {
      act()
      next += (-Math.log(1 - Math.random()) * 1_000) / perSecond
    }
    await delay(Math.max(1, next - now - 0.5))
  }
}
