import { z } from 'zod'
import { isReservedDataKey } from '../push/providers/payload-content.ts'
import { CANCEL_CAUSES, PRIVACY_MODES } from '../push/push-kinds.ts'

/** Missing, null or empty gets the sentence that FlowPBX knows; a wrong type is a broken body to it. */
const required = (field: string, max: number) =>
  z
    .string({
      error: ({ input }) =>
        (input ?? undefined) === undefined ? `${field} is required` : 'invalid request body',
    })
    .min(1, `${field} is required`)
    .max(max, `${field} must have at most ${max} characters`)
    .refine((text) => !text.includes('\0'), `${field} must not contain NUL`)
const optional = (field: string, max: number) =>
  z
    .string({ error: 'invalid request body' })
    .max(max, `${field} must have at most ${max} characters`)
    .refine((text) => !text.includes('\0'), `${field} must not contain NUL`)
    .optional()

const seconds = (max: number) => {
  const sentence = `ttl must be a whole number of seconds from 1 to ${max}`
  return z.int({ error: sentence }).min(1, sentence).max(max, sentence).optional()
}
/** Four weeks, the longest that FCM keeps a message; Apple keeps one for 30 days. */
export const MAX_TTL_SECONDS = 2_419_200

const licenseKey = z
  .string({ error: 'invalid request body' })
  .max(256, 'license_key must have at most 256 characters')
  .nullish()
  .describe('The licence key; the header X-License-Key does as well.')

/** What every push has. Limits: FCM tokens reach 4096 characters. */
const target = {
  push_token: required('push_token', 4_096).describe(
    'PushKit token (calls) or APNs device token (all other kinds) in hex, FCM registration token, or Firebase installation id.',
  ),
  push_platform: z
    .enum(['fcm', 'apns'], { error: 'push_platform must be fcm or apns' })
    .describe('Whose token it is.'),
}
const common = {
  token_kind: z
    .enum(['token', 'fid'], { error: 'token_kind must be token or fid' })
    .default('token')
    .describe('`fid`: the token is a Firebase installation id.'),
  environment: z
    .enum(['production', 'sandbox'], { error: 'environment must be production or sandbox' })
    .default('production')
    .describe('Which of Apple’s gateways knows the token.'),
  app_id: optional('app_id', 64).describe('Which app’s credentials to use.'),
  privacy: z
    .enum(PRIVACY_MODES, { error: `privacy must be one of ${PRIVACY_MODES.join(', ')}` })
    .optional()
    .describe('What Apple and Google may read: everything, who it is from, or only that there is something.'),
}
const callLane = {
  ttl: seconds(120).describe('Seconds after which the push is useless.'),
}
const messageLane = {
  ttl: seconds(MAX_TTL_SECONDS).describe('Seconds until it need not be delivered any more; a day if absent.'),
  expires_at: z.iso
    .datetime({ offset: true, error: 'expires_at must be a time like 2026-11-21T10:00:00Z' })
    .optional()
    .describe('In place of `ttl`.'),
  collapse_id: optional('collapse_id', 256).describe(
    'On an iPhone a later push with the same one takes the place of this one. On Android both arrive with it as `collapse_id` in their data, and the app replaces the first.',
  ),
}
const caller = {
  caller_id: optional('caller_id', 256).default('').describe('Number of the caller.'),
  caller_name: optional('caller_name', 256).describe('Name of the caller.'),
}
const badge = z
  .int({ error: 'badge must be a whole number from 0 to 99999' })
  .min(0, 'badge must be a whole number from 0 to 99999')
  .max(99_999, 'badge must be a whole number from 0 to 99999')
const withBadge = { badge: badge.optional().describe('The number on the app’s icon.') }
const withData = {
  data: z
    .record(z.string(), z.string({ error: 'the values of data must be strings' }), {
      error: 'data must be an object of strings',
    })
    .superRefine((data, context) => {
      for (const key of Object.keys(data).filter(isReservedDataKey)) {
        context.addIssue({
          code: 'custom',
          path: [key],
          message: `data must not have the reserved key ${key}`,
        })
      }
    })
    .optional()
    .describe('Handed to the app as it is. Keys of Apple, Google and Wakeline are reserved.'),
}
const callId = required('call_id', 256).describe('SIP Call-ID.')

/** The kinds of pushes, without the licence key. `call` is meant when there is no kind: that is the FlowPBX contract. */
const KINDS = {
  call: { ...target, call_id: callId, ...caller, ...callLane, ...common },
  cancel: {
    ...target,
    call_id: callId,
    cause: z
      .enum(CANCEL_CAUSES, { error: `cause must be one of ${CANCEL_CAUSES.join(', ')}` })
      .default('cancelled'),
    ...callLane,
    ...common,
  },
  missed_call: {
    ...target,
    call_id: callId,
    ...caller,
    ...withBadge,
    ...withData,
    ...messageLane,
    ...common,
  },
  voicemail: {
    ...target,
    voicemail_id: required('voicemail_id', 256),
    call_id: optional('call_id', 256),
    ...caller,
    duration: z
      .int({ error: 'duration must be a whole number of seconds' })
      .min(0, 'duration must be a whole number of seconds')
      .optional(),
    ...withBadge,
    ...withData,
    ...messageLane,
    ...common,
  },
  message: {
    ...target,
    message_id: required('message_id', 256),
    conversation_id: optional('conversation_id', 256),
    sender_name: optional('sender_name', 256),
    title: optional('title', 256).describe('The sender’s name if absent.'),
    text: required('text', 8_192).describe('Shown; cut when the notification would be too large.'),
    sound: optional('sound', 128),
    ...withBadge,
    ...withData,
    ...messageLane,
    ...common,
  },
  badge: { ...target, badge, ...messageLane, ...common },
  background: { ...target, ...withData, ...messageLane, ...common },
}

const UNKNOWN_KIND = `kind must be one of ${Object.keys(KINDS).join(', ')}`

/** All kinds in one schema, told apart by `kind`; `extra` is what each of them has besides. */
const anyKind = <Extra extends z.ZodRawShape>(extra: Extra) =>
  z.discriminatedUnion(
    'kind',
    [
      z.strictObject({ ...extra, kind: z.literal('call').default('call'), ...KINDS.call }),
      z.strictObject({ ...extra, kind: z.literal('cancel'), ...KINDS.cancel }),
      z.strictObject({ ...extra, kind: z.literal('missed_call'), ...KINDS.missed_call }),
      z.strictObject({ ...extra, kind: z.literal('voicemail'), ...KINDS.voicemail }),
      z.strictObject({ ...extra, kind: z.literal('message'), ...KINDS.message }),
      z.strictObject({ ...extra, kind: z.literal('badge'), ...KINDS.badge }),
      z.strictObject({ ...extra, kind: z.literal('background'), ...KINDS.background }),
    ],
    { error: ({ code }) => (code === 'invalid_union' ? UNKNOWN_KIND : 'invalid request body') },
  )

export const PushRequest = anyKind({ license_key: licenseKey }).meta({ id: 'PushRequest' })
export type PushRequest = z.output<typeof PushRequest>

/** How the caller knows the item again in the answer. */
const itemId = required('id', 64)
export const MAX_BATCH = 500
export const BatchItem = anyKind({ id: itemId }).meta({ id: 'PushBatchItem' })
export type BatchItem = z.output<typeof BatchItem>

/** Each item is judged by itself; only what would make the answer ambiguous refuses the whole batch. */
export const PushBatch = z
  .strictObject({
    license_key: licenseKey,
    pushes: z
      .array(z.looseObject({ id: itemId }, { error: 'invalid request body' }), {
        error: (issue) => (issue.input === undefined ? 'pushes is required' : 'pushes must be a list'),
      })
      .min(1, 'pushes must not be empty')
      .max(MAX_BATCH, `pushes must have at most ${MAX_BATCH} items`)
      .superRefine((pushes, context) => {
        const seen = new Set<string>()
        for (const [index, { id }] of pushes.entries()) {
          if (seen.has(id)) {
            context.addIssue({
              code: 'custom',
              path: [index, 'id'],
              message: 'each id may be there only once',
            })
          }
          seen.add(id)
        }
      })
      .describe('Each as for `POST /v1/push`, with an `id` of your own and without the licence key.'),
  })
  .meta({ id: 'PushBatch' })
export type PushBatch = z.output<typeof PushBatch>
