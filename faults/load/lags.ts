import type { Lag } from '../history/history.ts'

const EVERY_MS = 10
/** Less than this is how timers are. */
const NOTABLE_MS = 20

/** Notes when this process could not run, on its own account or because the machine had something else to do. */
export function watchLags(): { stop(): readonly Lag[] } {
  const lags: Lag[] = []
  let due = Date.now() + EVERY_MS
  const timer = setInterval(() => {
    const now = Date.now()
    if (now - due > NOTABLE_MS) lags.push({ at: due, ms: now - due })
    due = now + EVERY_MS
  }, EVERY_MS)
  return {
    stop() {
      clearInterval(timer)
      return lags
    },
  }
}
