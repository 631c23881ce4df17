import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2'
import type { Clock } from '../../../lib/clock.ts'
import { readRetryAfter } from '../retry-after.ts'
import type { ApnsReply } from './apns-reply.ts'

/** https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#http2 */
const HEADERS_ARRIVED = 'http2.client.stream.finish'
/** Characters. Apple's answers have fewer than a hundred. */
const MAX_BODY = 65_536
/** Apple's words become labels of metrics and parts of log lines; anything of another shape is none. */
const REASON = /^[A-Z][A-Za-z]{1,63}$/

interface HeadersArrived {
  stream: ClientHttp2Stream
  headers: IncomingHttpHeaders
  /** Of the frame. */
  flags: number
}

/** An answer on its way. */
interface Response {
  headers?: IncomingHttpHeaders
  body: string
  state: 'arriving' | 'complete' | 'too_long'
}

/**
 * Reads Apple's answers beside @parse/node-apn, which shows no headers, loses some reasons, and collects a body of any length. Node
 * publishes each response together with its request, of which the `apns-id` tells whose it is.
 */
export function createApnsResponses(clock: Clock) {
  const awaited = new Map<string, Response>()
  const onHeaders = (message: unknown) => {
    const arrived = message as HeadersArrived
    const response = awaited.get(String(arrived.stream.sentHeaders?.['apns-id']))
    if (response) read(arrived, response)
  }
  subscribe(HEADERS_ARRIVED, onHeaders)

  return {
    /** @param id The `apns-id` of a request that is about to leave. */
    expect(id: string) {
      const response: Response = { body: '', state: 'arriving' }
      awaited.set(id, response)
      return {
        /** What Apple answered, once that is known. */
        reply: () => replyOf(response, clock),
        [Symbol.dispose](): void {
          if (awaited.get(id) === response) awaited.delete(id)
        },
      }
    },
    close(): void {
      unsubscribe(HEADERS_ARRIVED, onHeaders)
    },
  }
}

function read({ stream, headers, flags }: HeadersArrived, response: Response): void {
  response.headers = headers
  if (flags & constants.NGHTTP2_FLAG_END_STREAM) {
    response.state = 'complete'
    return
  }
  stream.on('data', (chunk: string | Buffer) => {
    response.body += String(chunk)
    if (response.body.length <= MAX_BODY) return
    response.state = 'too_long'
    response.body = ''
    stream.destroy(new Error('the answer is too long'))
  })
  stream.on('end', () => {
    if (response.state === 'arriving') response.state = 'complete'
  })
}

function replyOf({ headers, body, state }: Response, clock: Clock): ApnsReply | undefined {
  if (!headers || state === 'arriving') return undefined
  const status = Number(headers[':status'])
  const content = state === 'complete' ? parse(body) : undefined
  if (status >= 200 && status < 300) {
    const apnsId = headers['apns-id']
    return content
      ? { status, ...(typeof apnsId === 'string' && { apnsId }) }
      : { ending: 'unreadable_answer', status }
  }
  const { reason, timestamp } = content ?? {}
  const retryAfterMs = readRetryAfter(headers['retry-after'], clock.now())
  return {
    status,
    ...(typeof reason === 'string' && REASON.test(reason) && { reason }),
    ...(Number.isSafeInteger(timestamp) && { timestamp: Number(timestamp) }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}

/** An accepted push has an empty body. @returns `undefined` when it is no JSON object. */
function parse(body: string): { reason?: unknown; timestamp?: unknown } | undefined {
  if (body === '') return {}
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined // the status says enough
  }
}
