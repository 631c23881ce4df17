import type { Whereabouts } from './apns-departures.ts'
import type { ApnsEnding } from './apns-endings.ts'
import type { ApnsFailure, ApnsReply } from './apns-reply.ts'

/**
 * What @parse/node-apn 8.1 puts into `failed`. Its types promise less: an answer has `status`, a broken connection only `error`,
 * and an exception thrown by node:http2 is spread into the entry itself, of which `code` stays.
 */
interface FailedEntry {
  status?: unknown
  response?: { reason?: unknown }
  error?: unknown
  code?: unknown
}

/** The library tells its own cases apart by their text only. */
const TIMED_OUT = 'apn write timeout'
/** For a send after the shutdown. */
const NOT_CARRIED_OUT = 'client is destroyed'

/** The server did not process the request. */
const REFUSED_STREAM = 'NGHTTP2_REFUSED_STREAM'

const isTimeout = ({ ending }: ApnsFailure): boolean => ending === 'no_answer' || ending === 'connect_timeout'

/** Apple's words for a connection that takes nothing more. */
const LAST_WORDS: readonly (string | undefined)[] = ['IdleTimeout', 'Shutdown']

/** Whether the next push needs a new connection. */
export const isOver = (reply: ApnsReply): boolean =>
  'ending' in reply ? isTimeout(reply) : LAST_WORDS.includes(reply.reason)

/** Why there is no answer. */
export function readFailedEntry(entry: FailedEntry, whereabouts: Whereabouts): ApnsReply {
  if (typeof entry.status === 'number') return readStatus(entry.status, entry.response?.reason)
  if (isError(entry.error)) return readError(entry.error, whereabouts)
  // Thrown by node:http2 when the stream was to be opened, so there was none.
  return ended('connection_closed', entry.code)
}

/** When the push's own deadline comes before any answer. */
export const deadlinePassed = (whereabouts: Whereabouts): ApnsFailure =>
  ended(whereabouts === 'left' ? 'deadline' : 'not_sent_in_time')

/** @param code Of an error, if it has one. */
export const ended = (ending: ApnsEnding, code?: unknown): ApnsFailure => ({
  ending,
  ...(typeof code === 'string' && { code }),
})

/** Only when two pushes with one id are under way, so that the answer was taken for the other's. */
const readStatus = (status: number, reason: unknown): ApnsReply => ({
  status,
  ...(typeof reason === 'string' && { reason }),
})

const TIME_OUTS = {
  left: 'no_answer',
  waiting: 'not_sent_in_time',
  not_connected: 'connect_timeout',
} as const satisfies Record<Whereabouts, ApnsEnding>

function readError(error: Error, whereabouts: Whereabouts): ApnsFailure {
  if (error.message === TIMED_OUT) return ended(TIME_OUTS[whereabouts])
  if (error.message === NOT_CARRIED_OUT) return ended('connection_closed')
  return readBrokenConnection(chainOf(error), whereabouts)
}

function readBrokenConnection(chain: readonly Error[], whereabouts: Whereabouts): ApnsFailure {
  if (chain.some((error) => error.message.includes(REFUSED_STREAM))) return ended('stream_refused')
  const root = chain.map((error) => ('code' in error ? error.code : undefined)).findLast(Boolean)
  return ended(whereabouts === 'left' ? 'connection_lost' : 'connection_failed', root)
}

/** The error and what caused it, outermost first. The library's errors have a method where the language has a property. */
function chainOf(error: Error): Error[] {
  const cause: unknown = typeof error.cause === 'function' ? error.cause() : error.cause
  return isError(cause) ? [error, ...chainOf(cause)] : [error]
}

/** The library's errors are not native ones. */
const isError = (value: unknown): value is Error =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
