import { DAY, SECOND } from '../lib/units.ts'
import type { Lane } from '../push/push-kinds.ts'

/** What is known of whoever pushes, as far as limits go. */
export interface Licensed {
  /** Of the licence, which a key has proved. */
  id: string
  tenantId: string
  maxExtensions: number
  /** Absent: as many as the size of the licence gives. */
  callsPerDay?: number
  messagesPerDay?: number
}

/** Pushes of one lane: in a short window, and in a UTC day. */
export interface LaneLimits {
  burst: number
  day: number
}

export const BURST_SECONDS = 10
/** Counters are 32-bit integers. */
const MOST = 2 ** 31 - 1
/**
 * A call rings every phone of a ring group at once, and a group may hold every extension with a few phones each. FlowPBX's gateway
 * stopped at 10, and lost the rest of the group.
 */
const CALLS_PER_EXTENSION = 10
/** A chat room reaches all phones of all its members; messages are only late when they are refused, and are tried again. */
const MESSAGES_PER_EXTENSION = 20
/** Even a licence for one extension may have some phones and a busy minute. */
const LEAST_BURST = 50
/** Far beyond people: a phone that rings every minute and a half, day and night. */
const DAILY_PER_EXTENSION = 1_000
const LEAST_DAILY = 2_000

/** What a licence may push. Each lane has numbers of its own, so messages cannot eat what calls have. */
export function pushLimits(licensed: Pick<Licensed, 'maxExtensions' | 'callsPerDay' | 'messagesPerDay'>) {
  const { maxExtensions, callsPerDay, messagesPerDay } = licensed
  const day = Math.max(LEAST_DAILY, DAILY_PER_EXTENSION * maxExtensions)
  const capped = (limit: number) => Math.min(limit, MOST)
  return {
    calls: {
      burst: capped(Math.max(LEAST_BURST, CALLS_PER_EXTENSION * maxExtensions)),
      day: capped(callsPerDay ?? day),
    },
    messages: {
      burst: capped(Math.max(LEAST_BURST, MESSAGES_PER_EXTENSION * maxExtensions)),
      day: capped(messagesPerDay ?? day),
    },
  } satisfies Record<Lane, LaneLimits>
}

/** Asked for with each push, and making the text costs more than counting the push. */
let lastDay = { number: Number.NaN, text: '' }

/** Like `2026-11-21`: days are UTC days, as the same moment for all nodes. */
export function dayOf(time: number): string {
  const number = Math.floor(time / DAY)
  if (number !== lastDay.number) lastDay = { number, text: new Date(time).toISOString().slice(0, 10) }
  return lastDay.text
}

/** Milliseconds since the epoch. */
export const endOfDay = (time: number): number => (Math.floor(time / DAY) + 1) * DAY

export const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / SECOND))
