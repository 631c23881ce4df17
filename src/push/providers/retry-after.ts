import { MINUTE, SECOND } from '../../lib/units.ts'

/** A vendor that asks for more is asked again after this. */
const LONGEST = 5 * MINUTE

/** All three forms of a date begin with the day, which junk that `Date.parse` takes for a date, like `-5`, does not. */
const DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/

/**
 * Reads `Retry-After`, which is a number of seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 * @param now Milliseconds since the epoch. @returns Milliseconds, or `undefined` when there is nothing to read.
 */
export function readRetryAfter(value: unknown, now: number): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * SECOND : readDate(value) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST)
}

/** The oldest form names no time zone and means GMT. */
function readDate(value: string): number {
  if (!DATE.test(value)) return Number.NaN
  return Date.parse(value.endsWith('GMT') ? value : `${value} GMT`)
}
