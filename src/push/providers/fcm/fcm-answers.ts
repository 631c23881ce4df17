import { z } from 'zod'
import { MINUTE } from '../../../lib/units.ts'
import type { Outcome } from '../../push.ts'
import type { FcmRefusal, FcmReply } from './fcm-reply.ts'

interface FcmRow {
  /** FCM's own error code, or the status of Google's APIs where FCM gives none. */
  code: string
  becomes: Exclude<Outcome['kind'], 'accepted' | 'unknown'>
  detail: string
  /** Milliseconds to wait when Google names no time. */
  pauseMs?: number
}

/**
 * FCM's error codes: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
 * What to do about them: https://firebase.google.com/docs/cloud-messaging/error-codes
 */
export const FCM_ERROR_CODES: readonly FcmRow[] = [
  {
    code: 'UNREGISTERED',
    becomes: 'token_dead',
    detail: 'The app was removed from the phone or got a new token.',
  },
  { code: 'INVALID_ARGUMENT', becomes: 'rejected', detail: 'Google refused a field of the message.' },
  {
    code: 'SENDER_ID_MISMATCH',
    becomes: 'rejected',
    detail: 'The token belongs to another Firebase project.',
  },
  {
    code: 'QUOTA_EXCEEDED',
    becomes: 'retry',
    detail: 'The sending quota of the project or of this phone is used up.',
    pauseMs: MINUTE,
  },
  { code: 'UNAVAILABLE', becomes: 'retry', detail: 'FCM is overloaded.' },
  { code: 'INTERNAL', becomes: 'retry', detail: 'FCM had an internal error.' },
  { code: 'UNSPECIFIED_ERROR', becomes: 'retry', detail: 'FCM named no reason.' },
  {
    code: 'THIRD_PARTY_AUTH_ERROR',
    becomes: 'rejected',
    detail: 'The APNs or web push credentials in the Firebase project are wrong.',
  },
]

/** Google's statuses count when FCM did not get as far as a code of its own: https://cloud.google.com/apis/design/errors */
export const GOOGLE_STATUSES: readonly FcmRow[] = [
  { code: 'INVALID_ARGUMENT', becomes: 'rejected', detail: 'Google refused a field of the message.' },
  {
    code: 'UNAUTHENTICATED',
    becomes: 'rejected',
    detail: 'Google refused the access token of the service account.',
  },
  {
    code: 'PERMISSION_DENIED',
    becomes: 'rejected',
    detail: 'The service account may not send, or the FCM API is not enabled in the project.',
  },
  // Not the token: without a code of FCM's it is the project or the path that Google has not found.
  { code: 'NOT_FOUND', becomes: 'rejected', detail: 'Google does not know the Firebase project.' },
  {
    code: 'RESOURCE_EXHAUSTED',
    becomes: 'retry',
    detail: 'The quota of the project is used up.',
    pauseMs: MINUTE,
  },
  { code: 'UNAVAILABLE', becomes: 'retry', detail: 'FCM is overloaded.' },
  { code: 'INTERNAL', becomes: 'retry', detail: 'FCM had an internal error.' },
]

/** The same code with which Google refuses a payload; here it names the token. */
const INVALID_TOKEN: FcmRow = {
  code: 'INVALID_ARGUMENT',
  becomes: 'token_dead',
  detail: 'This is not a token that FCM has issued.',
}

const errorCodes = new Map(FCM_ERROR_CODES.map((row) => [row.code, row]))
const statuses = new Map(GOOGLE_STATUSES.map((row) => [row.code, row]))

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError'
const INVALID_TOKEN_TEXT = 'not a valid FCM registration token'

const Violation = z.object({ field: z.string() })
const Detail = z.object({
  '@type': z.string().optional().catch(undefined),
  errorCode: z.string().optional().catch(undefined),
  fieldViolations: z.array(z.unknown()).optional().catch(undefined),
})
const ErrorBody = z.object({
  error: z.object({
    status: z.string().optional().catch(undefined),
    message: z.string().catch(''),
    details: z.array(z.unknown()).catch([]),
  }),
})

interface FcmError {
  errorCode?: string | undefined
  status?: string | undefined
  isAboutToken: boolean
}

export function outcomeOfFcm(reply: FcmReply): Outcome {
  if ('messageId' in reply) return { kind: 'accepted', providerId: reply.messageId }
  if ('status' in reply) return outcomeOfRefusal(reply)
  const { failure, reason, detail } = reply
  return { kind: failure === 'not_sent' ? 'retry' : failure, reason, detail }
}

/** Whether Google refused the access token, which says nothing about the message. */
export const isUnauthenticated = (reply: FcmReply): boolean =>
  'status' in reply && reply.status === 401 && readError(reply.body)?.errorCode === undefined

function outcomeOfRefusal(refusal: FcmRefusal): Outcome {
  const { status, body, retryAfterMs } = refusal
  if (status >= 200 && status < 300) {
    return {
      kind: 'unknown',
      reason: 'unreadable_answer',
      detail: 'Google gave an answer that cannot be read.',
    }
  }
  const error = readError(body)
  const row = error ? judge(error, status) : notFromGoogle(status)
  const pause = retryAfterMs ?? row.pauseMs
  const { becomes: kind, code: reason, detail } = row
  return kind === 'retry' && pause !== undefined
    ? { kind, reason, detail, retryAfterMs: pause }
    : { kind, reason, detail }
}

function judge({ errorCode, status: googleStatus, isAboutToken }: FcmError, status: number): FcmRow {
  if (status === 400 && isAboutToken) return INVALID_TOKEN
  const row = errorCode === undefined ? statuses.get(googleStatus ?? '') : errorCodes.get(errorCode)
  // A dead token needs both the code and the status, so that no oddity of a gateway in between can end one.
  if (row && (row.becomes !== 'token_dead' || status === 404)) return row
  return undocumented(errorCode ?? googleStatus, status)
}

/** Words that Google may add tomorrow are judged by their status, and never cost a token. */
const undocumented = (code: string | undefined, status: number): FcmRow => ({
  code: code ?? `status_${status}`,
  becomes: isTransient(status) ? 'retry' : 'rejected',
  detail: `Google answered with status ${status} and a reason that Wakeline does not know.`,
})

/** FCM always answers in JSON, so a page comes from something in between and has not judged the message. */
const notFromGoogle = (status: number): FcmRow => ({
  code: `status_${status}`,
  becomes: 'retry',
  detail: `Something before FCM answered with status ${status} and no JSON.`,
})

const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500

function readError(body: unknown): FcmError | undefined {
  const parsed = ErrorBody.safeParse(body)
  if (!parsed.success) return undefined
  const { status, message, details } = parsed.data.error
  const known = details.flatMap((detail) => Detail.safeParse(detail).data ?? [])
  const violations = known.flatMap((detail) => detail.fieldViolations ?? [])
  const namesToken = violations.some((one) => Violation.safeParse(one).data?.field === 'message.token')
  return {
    errorCode: known.find((detail) => detail['@type'] === FCM_ERROR)?.errorCode,
    status,
    isAboutToken: namesToken || message.includes(INVALID_TOKEN_TEXT),
  }
}
