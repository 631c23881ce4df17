import { HOUR, MINUTE, SECOND } from '../lib/units.ts'

/**
 * The pauses after a failed attempt. The tenth attempt, 2.7 days after the first or a little more, is the last: a weekend
 * without anybody to restart a receiver costs no event.
 */
export const RETRY_PAUSES_MS = [
  10 * SECOND,
  MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  24 * HOUR,
  24 * HOUR,
] as const

/** Up to this part of a pause is added by chance, so that events that failed together do not come back together. */
export const JITTER = 0.1

/**
 * Milliseconds until the next attempt, or undefined when this one was the last.
 *
 * @param attempts made so far, at least 1
 * @param chance from 0 to 1
 */
export function pauseAfter(attempts: number, chance: number = Math.random()): number | undefined {
  const pause = RETRY_PAUSES_MS[attempts - 1]
  return pause === undefined ? undefined : Math.round(pause * (1 + JITTER * chance))
}
