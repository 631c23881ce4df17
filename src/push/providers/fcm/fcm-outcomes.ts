import { z } from 'zod'
import { MINUTE } from '../../../lib/units.ts'
import type { Outcome } from '../../outcome.ts'
import { failureOf, type Judgement, verdictByStatus, withCode } from '../verdict.ts'
import { FCM_ANSWERS, type FcmRow } from './fcm-answers.ts'
import { FCM_ENDINGS } from './fcm-endings.ts'
import type { FcmRefusal, FcmReply } from './fcm-reply.ts'

/** Where Google names no time: https://firebase.google.com/docs/cloud-messaging/error-codes (QUOTA_EXCEEDED) */
const PAUSE = MINUTE

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError'
const TARGET_FIELDS = ['message.token', 'message.fid']
const INVALID_TOKEN_TEXT = 'not a valid FCM registration token'

/** Google's words become labels of metrics and parts of log lines; anything of another shape is none. */
const Word = z
  .string()
  .regex(/^[A-Z][A-Z_]{1,63}$/)
  .optional()
  .catch(undefined)
const Violation = z.object({ field: z.string() })
const Detail = z.object({
  '@type': z.string().optional().catch(undefined),
  errorCode: Word,
  fieldViolations: z.array(z.unknown()).optional().catch(undefined),
})
const ErrorBody = z.object({
  error: z.object({
    status: Word,
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
  if ('ending' in reply) {
    const { ending, status, code } = reply
    const { detail, ...verdict } = FCM_ENDINGS[ending]
    return failureOf({ ...verdict, reason: ending, detail: withCode(detail, code) }, { status })
  }
  return outcomeOfRefusal(reply)
}

/** Whether Google refused the access token, which says nothing about the message. */
export const isUnauthenticated = (reply: FcmReply): boolean =>
  'body' in reply && reply.status === 401 && readError(reply.body)?.errorCode === undefined

function outcomeOfRefusal({ status, body, retryAfterMs }: FcmRefusal): Outcome {
  if (status >= 200 && status < 300) return outcomeOfFcm({ ending: 'unreadable_answer', status })
  const error = readError(body)
  const judgement = error ? judge(error, status) : notFromFcm(status)
  const pause = ['wait', 'spare_phone'].includes(judgement.action) ? PAUSE : undefined
  return failureOf(judgement, { status, retryAfterMs: retryAfterMs ?? pause })
}

function judge({ errorCode, status: googleStatus, isAboutToken }: FcmError, status: number): Judgement {
  const [from, reason] =
    errorCode === undefined ? (['google', googleStatus] as const) : (['fcm', errorCode] as const)
  const suits = (row: FcmRow) =>
    row.from === from &&
    row.reason === reason &&
    (row.about === undefined || isAboutToken) &&
    // What speaks against a token needs both the word and the status, so that no oddity of a gateway in between can cost one.
    (row.class !== 'token' || row.status === status)
  return FCM_ANSWERS.find(suits) ?? undocumented(reason, status)
}

/** Words that Google may add tomorrow are judged by their status, and never cost a token. */
const undocumented = (reason: string | undefined, status: number): Judgement => ({
  ...verdictByStatus(status),
  reason: reason ?? `status_${status}`,
  detail: `Google answered with status ${status} and a reason that Wakeline does not know.`,
})

/** FCM always answers in JSON, so a page comes from something in between, which has not looked for the token. */
const notFromFcm = (status: number): Judgement => ({
  ...verdictByStatus(status),
  reason: `status_${status}`,
  detail: `Something before FCM answered with status ${status} and no JSON.`,
})

function readError(body: unknown): FcmError | undefined {
  const parsed = ErrorBody.safeParse(body)
  if (!parsed.success) return undefined
  const { status, message, details } = parsed.data.error
  const known = details.flatMap((detail) => Detail.safeParse(detail).data ?? [])
  const violations = known.flatMap((detail) => detail.fieldViolations ?? [])
  const fields = violations.map((violation) => Violation.safeParse(violation).data?.field ?? '')
  return {
    errorCode: known.find((detail) => detail['@type'] === FCM_ERROR)?.errorCode,
    status,
    isAboutToken:
      fields.some((field) => TARGET_FIELDS.includes(field)) || message.includes(INVALID_TOKEN_TEXT),
  }
}
