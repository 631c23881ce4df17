import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { type Loop, startLoop } from '../lib/loop.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Events } from './events.ts'

/** A clock that is set by hand or lost its time server goes wrong by milliseconds a minute, or all at once. */
const EVERY_MS = MINUTE
/** So much less, or more, time to ring is what a caller notices: a call has 5 s. */
export const MOST_SKEW_MS = 500

export interface ClockWatchDeps {
  clock: Clock
  /** What time it is elsewhere, in milliseconds since the epoch. */
  databaseTime: () => Promise<number>
  events: Pick<Events, 'clockSkew' | 'backgroundError'>
}

/**
 * Compares the clock of this host with that of the database, which all hosts share: deadlines are written by one host and kept by
 * another.
 */
export const startClockWatch = (deps: ClockWatchDeps): Loop =>
  startLoop(
    async () => {
      const { skewMs, uncertainMs } = await readSkew(deps)
      deps.events.clockSkew(skewMs / SECOND, Math.abs(skewMs) - uncertainMs > MOST_SKEW_MS)
      return false
    },
    { everyMs: EVERY_MS, onError: (error) => deps.events.backgroundError('clock', toError(error)) },
  )

/** The other clock was read at some moment between question and answer; in the middle of it we are wrong by half of it at most. */
async function readSkew({ clock, databaseTime }: ClockWatchDeps) {
  const asked = clock.monotonic()
  const now = clock.now()
  const there = await databaseTime()
  const uncertainMs = (clock.monotonic() - asked) / 2
  return { skewMs: now + uncertainMs - there, uncertainMs }
}
