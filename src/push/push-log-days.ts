import { DAY, HOUR } from '../lib/units.ts'

/** The push log by days (UTC): each has a partition, and a statement locks every one that it may read, with its indexes. */

/** Partitions that are made before they are needed: with every run of a week failed, rows still find theirs. */
export const DAYS_AHEAD = 7

/** The first millisecond of the day that a moment belongs to. */
export const startOfDay = (time: number): number => Math.floor(time / DAY) * DAY

/** How a day is written in the name of its partition, such as 20261121. */
export const dayName = (time: number): string => new Date(time).toISOString().slice(0, 10).replaceAll('-', '')

/** Half-open; without a bound it goes on for ever. Milliseconds since the epoch. */
export interface Stretch {
  from?: number
  to?: number
}

/** Locks of one statement at most: about 40 partitions and their indexes, of the some 8,000 that a server has for everybody. */
const STRETCH_MS = 40 * DAY

/**
 * All of `within` that the log can hold, newest first, in pieces that one statement may read at a time. Together they leave out
 * nothing, whatever the time is and however late old days are dropped.
 *
 * @param keptDays how far back the log goes
 */
export function* stretchesBack(keptDays: number, within: Stretch = {}, now = Date.now()): Generator<Stretch> {
  const oldest = Math.max(within.from ?? Number.NEGATIVE_INFINITY, now - keptDays * DAY)
  let { to } = within
  let from = Math.min(to ?? now, now) - STRETCH_MS
  for (; from > oldest; from -= STRETCH_MS) {
    yield { from, ...(to !== undefined && { to }) }
    to = from
  }
  yield { ...(within.from !== undefined && { from: within.from }), ...(to !== undefined && { to }) }
}

/** For who wants one push, which is a young one nearly always: planning two days takes a tenth of planning forty. */
export function* recentFirst(keptDays: number, now = Date.now()): Generator<Stretch> {
  yield { from: startOfDay(now) - DAY, to: now + HOUR }
  yield* stretchesBack(keptDays, {}, now)
}
