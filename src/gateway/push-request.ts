import { z } from 'zod'

/** Missing or empty gets the sentence that FlowPBX knows; a wrong type is a broken body to it. */
const required = (field: string, max: number) =>
  z
    .string({
      error: (issue) => (issue.input === undefined ? `${field} is required` : 'invalid request body'),
    })
    .min(1, `${field} is required`)
    .max(max, `${field} must have at most ${max} characters`)
    .refine((text) => !text.includes('\0'), `${field} must not contain NUL`)

/** `POST /v1/push` of the FlowPBX contract; what it lacks is optional. Limits: FCM tokens reach 4096 characters. */
export const PushRequest = z
  .strictObject({
    license_key: z
      .string({ error: 'invalid request body' })
      .max(256, 'license_key must have at most 256 characters')
      .optional()
      .describe('The licence key; the header X-License-Key does as well.'),
    push_token: required('push_token', 4_096).describe('PushKit token in hex, or FCM registration token.'),
    push_platform: z
      .enum(['fcm', 'apns'], { error: 'push_platform must be fcm or apns' })
      .describe('Whose token it is.'),
    call_id: required('call_id', 256).describe('SIP Call-ID.'),
    caller_id: z
      .string({ error: 'invalid request body' })
      .max(256)
      .default('')
      .describe('Number of the caller.'),
    caller_name: z
      .string({ error: 'invalid request body' })
      .max(256)
      .optional()
      .describe('Name of the caller.'),
    ttl: z
      .int({ error: 'ttl must be a whole number of seconds from 1 to 120' })
      .min(1, 'ttl must be a whole number of seconds from 1 to 120')
      .max(120, 'ttl must be a whole number of seconds from 1 to 120')
      .optional()
      .describe('Seconds after which the push is useless.'),
    environment: z
      .enum(['production', 'sandbox'], { error: 'environment must be production or sandbox' })
      .default('production')
      .describe('Which of Apple’s gateways knows the token.'),
    app_id: z
      .string({ error: 'invalid request body' })
      .max(64)
      .optional()
      .describe('Which app’s credentials to use.'),
  })
  .meta({ id: 'PushRequest' })
export type PushRequest = z.output<typeof PushRequest>

export const PushAnswer = z
  .object({
    delivered: z.boolean().describe('The provider has accepted the push.'),
    call_id: z.string(),
    push_id: z.string(),
    status: z.string().describe('State of the push.'),
    token_valid: z.boolean().describe('False: forget the token.'),
    reason: z.string().optional(),
    detail: z.string().optional(),
    attempts: z.int().optional(),
    provider_id: z.string().optional(),
  })
  .meta({ id: 'PushAnswer' })
