import { z } from 'zod'
import { OUTCOMES } from './call-wake.ts'

/** What we accept of the PBX, and what it gets back. Limits: RFC 3261 sets none, real values stay far below these. */
export const text = (max: number, tooLong?: string) =>
  z
    .string()
    .max(max, tooLong)
    .refine((value) => !value.includes('\0'), 'must not contain NUL')
    .refine((value) => value.isWellFormed(), 'must be valid Unicode')
export const ExtensionNumber = text(64).min(1).describe('Number or name of the extension, as the PBX has it.')
const SipCallId = text(256).min(1).describe('SIP Call-ID.')

export const CallBody = z
  .strictObject({
    call_id: SipCallId,
    extension: ExtensionNumber,
    caller_id: text(256).default('').describe('Number of the caller.'),
    caller_name: text(256).optional().describe('Name of the caller.'),
    ttl: z.int().min(1).max(120).optional().describe('Seconds the call is worth a push; the hold if absent.'),
  })
  .meta({ id: 'CallRequest' })

export const RegistrationBody = z
  .strictObject({
    extension: ExtensionNumber,
    contact: text(8_192)
      .optional()
      .describe('The Contact header field; `pn-prid` in it names the phone (RFC 8599).'),
    device_id: text(200).min(1).optional().describe('The app’s own id of the phone.'),
    mobile: z.boolean().optional().describe('The contact is the mobile app, even if nothing else says so.'),
    expires: z.int().min(0).max(2_592_000).default(3_600).describe('Seconds; 0 when the contact went away.'),
  })
  .meta({ id: 'RegistrationReport' })

const hexToken = z
  .string()
  .regex(/^([0-9a-f]{2}){16,100}$/i, 'must be an APNs token in hex')
  .transform((token) => token.toLowerCase())
const fcmToken = z.string().regex(/^[\x21-\x7e]{8,4096}$/, 'must be an FCM registration token')
const fidToken = z.string().regex(/^[\w-]{22,64}$/, 'must be a Firebase installation id')
const environment = z.enum(['production', 'sandbox']).default('production')

export const DeviceBody = z
  .strictObject({
    app_id: text(64).optional().describe('Which app is installed; the gateway’s first if absent.'),
    name: text(200).optional(),
    tokens: z
      .array(
        z.discriminatedUnion('kind', [
          z.strictObject({ kind: z.literal('apns_voip'), token: hexToken, environment }),
          z.strictObject({ kind: z.literal('apns'), token: hexToken, environment }),
          z.strictObject({ kind: z.literal('fcm'), token: fcmToken }),
          z.strictObject({ kind: z.literal('fcm_fid'), token: fidToken }),
        ]),
      )
      .min(1)
      .max(4),
  })
  .meta({ id: 'DeviceRegistration' })

export const CallAnswer = z
  .object({
    id: z.uuid().describe('For GET and DELETE of the call.'),
    call_id: z.string(),
    extension: z.string(),
    status: z.enum(['waking', 'ended']),
    outcome: z.enum(OUTCOMES).optional().describe('Absent while the call is waking phones.'),
    waited_ms: z.int(),
    fallback: z.enum(['voicemail']).optional().describe('Where the call should go when no phone is there.'),
    contacts: z.array(
      z.object({
        device_id: z.string().optional(),
        contact: z.string().optional(),
        registered_at: z.string(),
      }),
    ),
    pushes: z.array(
      z.object({
        push_id: z.string(),
        device_id: z.string(),
        provider: z.string(),
        status: z.string(),
        reason: z.string().optional(),
        detail: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'CallAnswer' })
