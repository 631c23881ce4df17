import { setTimeout as sleep } from 'node:timers/promises'
import { Refused } from './http.ts'

/** Tries again after as long as the service asks for, when it says that it was too much. */
export async function patiently<T>(
  attempt: () => Promise<T>,
  onWait?: (refused: Refused) => void,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 429 || tries === 10) throw error
      onWait?.(error)
      // Some more than was asked, and not the same for all: whoever was refused together would else return together.
      await sleep((error.retryAfterMs ?? 1000) + Math.random() * 200)
    }
  }
}
