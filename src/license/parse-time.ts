/** `2027-12-31`, or that with a time and an offset, as RFC 3339 section 5.6 writes them. */
const PATTERN =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-]([01]\d|2[0-3]):[0-5]\d))?$/

/** What four digits of a year can still write. */
export const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

export const TIME_HINT = 'a date like 2027-12-31 (its beginning in UTC) or a time like 2027-12-31T18:00:00Z'

/** Milliseconds since the epoch; undefined when the text is no date, none of the calendar such as 30 February, or before 1970. */
export function parseTime(text: string): number | undefined {
  const [, year, month, day] = PATTERN.exec(text) ?? []
  if (year === undefined) return undefined
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`)
  // JavaScript takes 30 February for 1 or 2 March.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) return undefined
  const time = Date.parse(text.toUpperCase().replace(' ', 'T'))
  return time >= 0 && time <= LAST_TIME ? time : undefined
}
