import type { HttpResponse } from 'firebase-admin/app'
import type { Clock } from '../../../lib/clock.ts'
import { toError } from '../../../lib/error.ts'
import { readRetryAfter } from '../retry-after.ts'
import { type FcmReply, notSent, rejected, unknown } from './fcm-reply.ts'

interface Progress {
  /** Whether an HTTP request was made at all. */
  hasRequest: boolean
  /** Whether it was written to a connection. */
  hasLeft: boolean
}

/**
 * What firebase-admin throws: an answer of Google's in `httpResponse`, a broken connection in `cause`, or a fault that it found in
 * the message by itself. Its own codes are left alone, because several causes share one.
 */
export function readThrown(thrown: unknown, { hasRequest, hasLeft }: Progress, clock: Clock): FcmReply {
  const error = toError(thrown)
  if ('httpResponse' in error && isHttpResponse(error.httpResponse)) {
    const { status, headers, data: body } = error.httpResponse
    const retryAfterMs = readRetryAfter(headers['retry-after'], clock.now())
    return { status, body, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }
  const code = codeOf(error.cause) ?? codeOf(error)
  if (!hasRequest && code?.startsWith('messaging/')) {
    return rejected('invalid_message', `The message was not sent: it is malformed (${code}).`)
  }
  // Codes name a kind of fault; messages could quote the request and with it the device token.
  const suffix = code === undefined ? '' : ` (${code})`
  return hasLeft
    ? unknown('connection_lost', `The connection to FCM broke before the answer${suffix}.`)
    : notSent('connection_failed', `FCM cannot be reached${suffix}.`)
}

const isHttpResponse = (value: unknown): value is HttpResponse =>
  typeof value === 'object' && value !== null && 'status' in value && 'headers' in value

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
