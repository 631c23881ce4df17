import type { ApnsAnswer, ApnsFailure, ApnsReply } from './apns-reply.ts'

/**
 * What @parse/node-apn 8.1 puts into `failed`. Its types promise less: an answer with a reason has `response`, a 500 and an
 * expired provider token have `status` and `error`, a broken connection only `error`, and an exception thrown by node:http2 is
 * spread into the entry itself, of which `code` stays.
 */
interface FailedEntry {
  status?: unknown
  response?: { reason?: unknown; timestamp?: unknown }
  error?: unknown
  code?: unknown
  'apns-id'?: unknown
}

/** The library tells its own cases apart by their text only. */
const TIMED_OUT = 'apn write timeout'
const EXPIRED_TOKEN = 'ExpiredProviderToken'
const EMPTY_ANSWER = /^stream ended unexpectedly with status (\d{3}) and empty body$/
const UNREADABLE_ANSWER = 'Unexpected error processing APNs response'
/** Stands in place of a 429 or 5xx that came while the connection was closing, and for a send after the shutdown. */
const NOT_CARRIED_OUT = ['client session is either closed or destroyed', 'client is destroyed']

/** node:http2 gives the first to streams that waited for the connection; the second says that the server did not process them. */
const NOT_SENT_CODES = ['ERR_HTTP2_STREAM_CANCEL', 'ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION']
const REFUSED_STREAM = 'NGHTTP2_REFUSED_STREAM'

export const isTimeout = (reply: ApnsReply): boolean =>
  'failure' in reply && (reply.reason === 'no_answer' || reply.reason === 'connect_timeout')

/** @param connected Whether the connection was up: before that nothing can have left. */
export function readFailedEntry(entry: FailedEntry, connected: boolean): ApnsReply {
  if (typeof entry.status === 'number') return readAnswer(entry, entry.status)
  if (isError(entry.error)) return readError(entry.error, connected)
  // Thrown by node:http2 when the stream was to be opened, so there was none.
  return notSent('connection_closed', `The connection to Apple was closed${withCode(entry.code)}.`)
}

/** When the push's own deadline comes before any answer. */
export const deadlinePassed = (connected: boolean): ApnsFailure =>
  connected
    ? unknown('deadline', 'Apple had not answered when the time for the push was over.')
    : notSent('deadline', 'There was no connection to Apple when the time for the push was over.')

export const notSent = (reason: string, detail: string): ApnsFailure => ({
  failure: 'not_sent',
  reason,
  detail,
})

export const unknown = (reason: string, detail: string): ApnsFailure => ({
  failure: 'unknown',
  reason,
  detail,
})

function readAnswer({ response, error, ...entry }: FailedEntry, status: number): ApnsAnswer {
  const reason = response?.reason ?? lostReason(status, error)
  const timestamp = response?.timestamp
  const apnsId = entry['apns-id']
  return {
    status,
    ...(typeof reason === 'string' && { reason }),
    ...(typeof timestamp === 'number' && { timestamp }),
    ...(typeof apnsId === 'string' && { apnsId }),
  }
}

/** Two reasons are dropped by the library, which puts a text of its own in their place. */
function lostReason(status: number, error: unknown): string | undefined {
  if (status === 500) return 'InternalServerError'
  return status === 403 && isError(error) && error.message === EXPIRED_TOKEN ? EXPIRED_TOKEN : undefined
}

function readError(error: Error, connected: boolean): ApnsReply {
  const { message } = error
  if (message === TIMED_OUT) return timedOut(connected)
  const status = EMPTY_ANSWER.exec(message)?.[1]
  if (status !== undefined) return { status: Number(status) }
  if (NOT_CARRIED_OUT.includes(message)) {
    return notSent('connection_closed', 'The connection to Apple was closed.')
  }
  if (message.startsWith(UNREADABLE_ANSWER)) {
    return unknown('unreadable_answer', 'Apple gave an answer that cannot be read.')
  }
  return readBrokenConnection(chainOf(error))
}

const timedOut = (connected: boolean): ApnsFailure =>
  connected
    ? unknown('no_answer', 'Apple took the push and did not answer in time.')
    : notSent('connect_timeout', "The connection to Apple's gateway took too long.")

function readBrokenConnection(chain: readonly Error[]): ApnsFailure {
  const codes = chain.map((error) => ('code' in error ? error.code : undefined))
  if (chain.some((error) => error.message.includes(REFUSED_STREAM))) {
    return notSent('stream_refused', 'Apple closed the connection before it looked at the push.')
  }
  const root = withCode(codes.findLast((code) => code !== undefined))
  return codes.some((code) => NOT_SENT_CODES.includes(String(code)))
    ? notSent('connection_failed', `Apple's gateway cannot be reached${root}.`)
    : unknown('connection_lost', `The connection to Apple broke before the answer${root}.`)
}

/** Codes name a kind of fault; messages could quote a path and with it the device token. */
const withCode = (code: unknown): string => (typeof code === 'string' ? ` (${code})` : '')

/** The error and what caused it, outermost first. The library's errors have a method where the language has a property. */
function chainOf(error: Error): Error[] {
  const cause: unknown = typeof error.cause === 'function' ? error.cause() : error.cause
  return isError(cause) ? [error, ...chainOf(cause)] : [error]
}

/** The library's errors are not native ones. */
const isError = (value: unknown): value is Error =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
