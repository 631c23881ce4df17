import { types } from 'node:util'
import type { FirebaseError, HttpResponse } from 'firebase-admin/app'
import type { Clock } from '../../../lib/clock.ts'
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
  const response = responseOf(thrown)
  if (response) {
    const { status, headers, data: body } = response
    const retryAfterMs = readRetryAfter(headers['retry-after'], clock.now())
    return { status, body, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }
  const code = codeOf(types.isNativeError(thrown) && thrown.cause) ?? codeOf(thrown)
  if (!hasRequest && code?.startsWith('messaging/')) {
    return rejected('invalid_message', `The message was not sent: it is malformed (${code}).`)
  }
  // Codes name a kind of fault; messages could quote the request and with it the device token.
  const suffix = code === undefined ? '' : ` (${code})`
  return hasLeft
    ? unknown('connection_lost', `The connection to FCM broke before the answer${suffix}.`)
    : notSent('connection_failed', `FCM cannot be reached${suffix}.`)
}

const responseOf = (thrown: unknown): HttpResponse | undefined =>
  types.isNativeError(thrown) ? (thrown as Partial<FirebaseError>).httpResponse : undefined

const codeOf = (error: unknown): string | undefined =>
  types.isNativeError(error) && 'code' in error && typeof error.code === 'string' ? error.code : undefined
