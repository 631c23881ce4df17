import { z } from 'zod'
import type { ListedDevice, ListedToken } from '../devices/device-list-store.ts'
import { APART } from '../devices/device-owner-store.ts'
import type { DeviceRegistration } from '../devices/register-device.ts'

const MAX_TOKEN = 4_096

/** Lengths are those of FlowPBX's app API, but for tokens: Google promises nothing about theirs. */
const text = (field: string, max: number) =>
  z
    .string()
    .refine((value) => [...value].length <= max, `${field} must be at most ${max} characters`)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), `${field} must be plain text`)
const deviceId = text('device_id', 200).refine(
  (value) => !APART.test(value),
  'device_id must not begin like this',
)
const token = (field: string) =>
  z
    .string(`${field} is required`)
    .min(1, `${field} is required`)
    .max(MAX_TOKEN, `${field} must be at most ${MAX_TOKEN} characters`)

/** Apple: hex of any length. Google: no spaces, no control characters. */
const LOOKS = { apns: /^([0-9a-f]{2})+$/i, fcm: /^[\x21-\x7e]+$/ } as const
type Platform = keyof typeof LOOKS
const platform = z.enum(['fcm', 'apns'], 'platform must be "fcm" or "apns"')
const shaped = (value: string, { of }: { of: Platform }): boolean => LOOKS[of].test(value)
const shapeText = (field: string, of: Platform) =>
  `${field} must be ${of === 'apns' ? 'an APNs token in hex' : 'an FCM registration token'}`
const canonical = (value: string, of: Platform) => (of === 'apns' ? value.toLowerCase() : value)

export const PushTokenBody = z
  .strictObject({
    token: token('token').describe('The PushKit VoIP token of an iPhone, or the FCM registration token.'),
    platform,
    device_id: deviceId.optional().describe('The app’s own id of the phone; made from the token if absent.'),
    app_version: text('app_version', 40).optional(),
  })
  .superRefine((body, context) => {
    if (shaped(body.token, { of: body.platform })) return
    context.addIssue({ code: 'custom', path: ['token'], message: shapeText('token', body.platform) })
  })
  .transform((body) => ({ ...body, token: canonical(body.token, body.platform) }))
  .meta({ id: 'PushToken' })

const environment = z.enum(['production', 'sandbox']).optional().describe('Of Apple; found out if absent.')

const WholeDevice = z
  .strictObject({
    device_id: deviceId
      .min(1, 'device_id is required')
      .describe('The app’s own id of the phone; stays the same.'),
    platform,
    app_id: text('app_id', 64).optional().describe('Which app is installed; the gateway’s first if absent.'),
    tokens: z
      .strictObject({
        voip: token('tokens.voip').optional().describe('PushKit VoIP token; `apns` only.'),
        alert: token('tokens.alert').optional().describe('For messages; with `fcm` for calls, too.'),
      })
      .refine(({ voip, alert }) => voip !== undefined || alert !== undefined, 'tokens must not be empty'),
    environment,
    app_version: text('app_version', 40).optional(),
    locale: text('locale', 35).optional().describe('Language tag (BCP 47), such as `de-DE`.'),
    name: text('name', 200).optional().describe('What its owner calls the phone.'),
  })
  .superRefine((body, context) => {
    const refuse = (kind: string, message: string) =>
      context.addIssue({ code: 'custom', path: ['tokens', kind], message })
    if (body.platform === 'fcm' && body.tokens.voip !== undefined) {
      refuse('voip', 'tokens.voip is for platform apns only')
    }
    for (const kind of ['voip', 'alert'] as const) {
      const value = body.tokens[kind]
      if (value !== undefined && !shaped(value, { of: body.platform })) {
        refuse(kind, shapeText(`tokens.${kind}`, body.platform))
      }
    }
  })
  .meta({ id: 'DeviceOfApp' })

/** Of a client that only chats, and knows its system rather than its push service. */
const SYSTEMS = { ios: 'apns', android: 'fcm' } as const
const ChatDevice = z
  .strictObject({
    platform: z.enum(['ios', 'android']),
    device_token: token('device_token').optional().describe('For messages; on Android for calls, too.'),
    deviceToken: token('deviceToken').optional().describe('The same, as some clients spell it.'),
    device_id: deviceId.optional().describe('The phone of the session if absent.'),
    environment,
  })
  .transform(({ platform: system, device_token, deviceToken, ...rest }, context) => {
    const alert = device_token ?? deviceToken
    const field = deviceToken === undefined ? 'device_token' : 'deviceToken'
    const of = SYSTEMS[system]
    if (alert !== undefined && shaped(alert, { of })) return { ...rest, platform: of, tokens: { alert } }
    const message = alert === undefined ? `${field} is required` : shapeText(field, of)
    context.addIssue({ code: 'custom', path: [field], message })
    return z.NEVER
  })
  .meta({ id: 'ChatDeviceOfApp' })

export const RegisterDeviceBody = z.discriminatedUnion('platform', [WholeDevice, ChatDevice], {
  error: (issue) =>
    issue.code === 'invalid_union' ? 'platform must be "fcm" or "apns", or "ios" or "android"' : undefined,
})

/** Said in either way. */
export interface GivenDevice {
  device_id?: string | undefined
  platform: Platform
  app_id?: string | undefined
  tokens: { voip?: string | undefined; alert?: string | undefined }
  environment?: 'production' | 'sandbox' | undefined
  app_version?: string | undefined
  locale?: string | undefined
  name?: string | undefined
}

/** The tokens as they are stored; an environment is Apple's alone. */
export function tokensOf({
  platform: of,
  tokens: { voip, alert },
  environment: apns,
}: GivenDevice): DeviceRegistration['tokens'] {
  if (of === 'fcm')
    return alert === undefined ? [] : [{ kind: 'fcm', environment: 'production', token: alert }]
  return [
    ...(voip === undefined
      ? []
      : [{ kind: 'apns_voip' as const, environment: apns, token: canonical(voip, of) }]),
    ...(alert === undefined
      ? []
      : [{ kind: 'apns' as const, environment: apns, token: canonical(alert, of) }]),
  ]
}

export const DeviceAnswer = z
  .object({
    id: z.string().describe('Ours, for DELETE.'),
    device_id: z.string().describe('The app’s own.'),
    platform: z.string(),
    app_id: z.string(),
    name: z.string(),
    app_version: z.string(),
    locale: z.string(),
    current: z.boolean().describe('The phone that asks.'),
    created_at: z.string(),
    last_seen_at: z.string(),
    tokens: z.array(
      z.object({
        id: z.string(),
        type: z.enum(['voip', 'alert']),
        environment: z.string(),
        last4: z
          .string()
          .describe(
            'Its last four characters; a token is never told. Empty when it cannot be read any more.',
          ),
        live: z.boolean().describe('False: Apple or Google says that it is dead.'),
        registered_at: z.string(),
      }),
    ),
  })
  .meta({ id: 'AppDevice' })

export const describeDevice = (
  device: ListedDevice,
  { isCurrent, last4 }: { isCurrent: boolean; last4(token: ListedToken): string },
): z.input<typeof DeviceAnswer> => ({
  id: device.id,
  device_id: device.deviceId,
  platform: device.platform,
  app_id: device.appId,
  name: device.name,
  app_version: device.appVersion,
  locale: device.locale,
  current: isCurrent,
  created_at: device.createdAt.toISOString(),
  last_seen_at: device.lastSeenAt.toISOString(),
  tokens: device.tokens.map((each) => ({
    id: each.id,
    type: each.kind === 'apns_voip' ? ('voip' as const) : ('alert' as const),
    environment: each.environment,
    last4: last4(each),
    live: each.isLive,
    registered_at: each.registeredAt.toISOString(),
  })),
})
