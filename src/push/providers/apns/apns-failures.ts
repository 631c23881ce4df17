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

/** node:http2 gives the first to streams that waited for the connection; the second says that the server did not process them. */
const NOT_SENT_CODES = ['ERR_HTTP2_STREAM_CANCEL', 'ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION']
const REFUSED_STREAM = 'NGHTTP2_REFUSED_STREAM'

export const isTimeout = (reply: ApnsReply): boolean =>
  'ending' in reply && (reply.ending === 'no_answer' || reply.ending === 'connect_timeout')

/**
 * Why there is no answer.
 * @param connected Whether the connection was up: before that nothing can have left.
 */
export function readFailedEntry(entry: FailedEntry, connected: boolean): ApnsReply {
  if (typeof entry.status === 'number') return readStatus(entry.status, entry.response?.reason)
  if (isError(entry.error)) return readError(entry.error, connected)
  // Thrown by node:http2 when the stream was to be opened, so there was none.
  return ended('connection_closed', entry.code)
}

/** When the push's own deadline comes before any answer. */
export const deadlinePassed = (connected: boolean): ApnsFailure =>
  ended(connected ? 'deadline' : 'not_sent_in_time')

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

function readError(error: Error, connected: boolean): ApnsFailure {
  if (error.message === TIMED_OUT) return ended(connected ? 'no_answer' : 'connect_timeout')
  return error.message === NOT_CARRIED_OUT ? ended('connection_closed') : readBrokenConnection(chainOf(error))
}

function readBrokenConnection(chain: readonly Error[]): ApnsFailure {
  if (chain.some((error) => error.message.includes(REFUSED_STREAM))) return ended('stream_refused')
  const codes = chain.map((error) => ('code' in error ? error.code : undefined))
  const root = codes.findLast((code) => code !== undefined)
  const isSent = !codes.some((code) => NOT_SENT_CODES.includes(String(code)))
  return ended(isSent ? 'connection_lost' : 'connection_failed', root)
}

/** The error and what caused it, outermost first. The library's errors have a method where the language has a property. */
function chainOf(error: Error): Error[] {
  const cause: unknown = typeof error.cause === 'function' ? error.cause() : error.cause
  return isError(cause) ? [error, ...chainOf(cause)] : [error]
}

/** The library's errors are not native ones. */
const isError = (value: unknown): value is Error =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
