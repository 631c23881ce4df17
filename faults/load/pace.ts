import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'

/** Calls `act` at random moments, on average `perSecond` times, as people do who know nothing of each other (Poisson). */
export function startPace(perSecond: number, random: Random, act: () => void): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const run = async () => {
    let next = performance.now()
    while (!stopping.signal.aborted) {
      next += (-Math.log(1 - random.next()) * 1_000) / perSecond
      const wait = next - performance.now()
      if (wait > 1) await delay(wait, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (!stopping.signal.aborted) act()
    }
  }
  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}
