import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 5

/** Waits for something to become true, and gives back what it then was. The only place where a test waits for time. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 20_000, description }: { timeoutMs?: number; description: string },
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${description}`)
    await delay(POLL_MS)
  }
}
