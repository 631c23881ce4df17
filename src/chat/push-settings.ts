/** What somebody wants his phones to be told of chat. */

/** How much of a message a notification shows. */
export const PREVIEWS = ['full', 'sender', 'none'] as const
export type Preview = (typeof PREVIEWS)[number]

/**
 * `no_device_acked`: when none of his phones has the message; `this_device_not_acked`: each phone that has not; `always`: that too, and
 * without waiting for a phone whose app is open.
 */
export const PUSH_WHENS = ['no_device_acked', 'this_device_not_acked', 'always'] as const
export type PushWhen = (typeof PUSH_WHENS)[number]

/** A time of day on some days of the week; from 22:00 to 07:00 ends on the day after. */
export interface QuietHours {
  /** 1 is Monday (ISO 8601). */
  days: readonly number[]
  /** `22:00` */
  from: string
  to: string
}

export interface PushSettings {
  preview: Preview
  pushWhen: PushWhen
  /** A message that one phone has and nobody has read goes to the others after so many seconds; 0: never. */
  escalateAfterSeconds: number
  dndUntil?: Date
  dndSchedule: readonly QuietHours[]
  /** Of the schedule, as the IANA names them. */
  timeZone: string
}

export const DEFAULT_PUSH_SETTINGS: PushSettings = {
  preview: 'full',
  pushWhen: 'no_device_acked',
  escalateAfterSeconds: 0,
  dndSchedule: [],
  timeZone: 'UTC',
}

/** Whether he does not want to be disturbed now. */
export function isQuiet({ dndUntil, dndSchedule, timeZone }: PushSettings, now: number): boolean {
  if (dndUntil && dndUntil.getTime() > now) return true
  if (dndSchedule.length === 0) return false
  const { day, minute } = localTime(now, timeZone)
  const yesterday = day === 1 ? 7 : day - 1
  return dndSchedule.some(({ days, from, to }) => {
    const [begin, end] = [minutesOf(from), minutesOf(to)]
    if (begin < end) return days.includes(day) && begin <= minute && minute < end
    return (days.includes(day) && minute >= begin) || (days.includes(yesterday) && minute < end)
  })
}

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

function localTime(now: number, timeZone: string): { day: number; minute: number } {
  const parts = formatterOf(timeZone).formatToParts(now)
  const part = (type: string) => parts.find((each) => each.type === type)?.value ?? ''
  return {
    day: DAYS.indexOf(part('weekday')) + 1,
    minute: Number(part('hour')) * 60 + Number(part('minute')),
  }
}

/** Making one takes a hundred times longer than using it, and people live in few time zones. */
const formatters = new Map<string, Intl.DateTimeFormat>()
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone)
  if (known) return known
  const options = {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  } as const
  const made = new Intl.DateTimeFormat('en-US', options)
  formatters.set(timeZone, made)
  return made
}

function minutesOf(time: string): number {
  const [hour = '', minute = ''] = time.split(':')
  return Number(hour) * 60 + Number(minute)
}
