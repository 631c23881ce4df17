import type { IncomingMessage } from 'node:http'
import { types } from 'node:util'
import type { FirebaseError } from 'firebase-admin/app'
import type { Clock } from '../../../lib/clock.ts'
import { readRetryAfter } from '../retry-after.ts'
import type { FcmRefusal, FcmReply } from './fcm-reply.ts'

interface Progress {
  /** Whether an HTTP request was made at all. */
  hasRequest: boolean
  /** Whether it was written to a connection. */
  hasLeft: boolean
  /** The answer, as far as it has come. */
  response: IncomingMessage | undefined
}

/**
 * What firebase-admin throws: an answer of Google's, of which it keeps the body, a broken connection in `cause`, or a fault that it
 * found in the message by itself. Its own codes are left alone, because several causes share one.
 */
export function readThrown(
  thrown: unknown,
  { hasRequest, hasLeft, response }: Progress,
  clock: Clock,
): FcmReply {
  if (response) return refusalOf(response, bodyOf(thrown), clock)
  const code = codeOf(types.isNativeError(thrown) && thrown.cause) ?? codeOf(thrown)
  if (!hasRequest && code?.startsWith('messaging/')) return { ending: 'invalid_message', code }
  const ending = hasLeft ? 'connection_lost' : 'connection_failed'
  return { ending, ...(code !== undefined && { code }) }
}

/** @param body Of the answer; `undefined` when it could not be read. */
export function refusalOf(response: IncomingMessage, body: unknown, clock: Clock): FcmRefusal {
  const { statusCode: status = 0, headers } = response
  const retryAfterMs = readRetryAfter(headers['retry-after'], clock.now())
  return { status, body, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

const bodyOf = (thrown: unknown): unknown =>
  types.isNativeError(thrown) ? (thrown as Partial<FirebaseError>).httpResponse?.data : undefined

const codeOf = (error: unknown): string | undefined =>
  types.isNativeError(error) && 'code' in error && typeof error.code === 'string' ? error.code : undefined
