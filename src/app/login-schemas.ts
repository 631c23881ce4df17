import { z } from 'zod'
import { SIP_TRANSPORTS } from '../devices/tenant-settings-store.ts'
import { rfc3339 } from '../lib/rfc3339.ts'
import type { LoginName } from './login-store.ts'
import { describeMe, Me } from './profile-schemas.ts'
import type { RefreshedSession } from './session-refresh.ts'
import type { StartedSession } from './session-start.ts'

/** FlowPBX counts characters, not bytes. It stops at 40; here a number may be as long as a PBX may make it. */
const LONGEST_NUMBER = 64
const LONGEST_DOMAIN = 253
const LONGEST_PASSWORD = 256
const LONGEST_NAME = 200
/** Of any kind that somebody might take for ours. */
const LONGEST_TOKEN = 2_000

const required = 'extension and sip_password are required'
const lengthOf = (text: string) => [...text].length
const fits = (text: string, most: number) => lengthOf(text) <= most && !text.includes('\0')

/** Present, and text; anything else than absence is a wrong type, which is told before. */
const Required = z
  .string({ error: ({ input }) => (input === undefined || input === null ? required : undefined) })
  .min(1, required)

/** The field may be left out; so may its value, because clients send null for nothing. */
const shortText = (field: string) =>
  z
    .string()
    .refine((text) => fits(text, LONGEST_NAME), `${field} exceeds maximum length`)
    .nullish()
    .transform((text) => text || undefined)

/** `1001`, or `1001@pbx.example.com` where one Wakeline serves many. */
export function toLoginName(text: string): Omit<LoginName, 'host'> {
  const at = text.lastIndexOf('@')
  if (at <= 0) return { number: text }
  return { number: text.slice(0, at), domain: text.slice(at + 1).toLowerCase() }
}

const LoginNumber = Required.transform(toLoginName).refine(
  ({ number, domain = '' }) => fits(number, LONGEST_NUMBER) && fits(domain, LONGEST_DOMAIN),
  'extension exceeds maximum length',
)

const deviceFields = {
  device_id: shortText('device_id').describe(
    'The app’s own id of the phone: the session ends with the phone.',
  ),
  name: shortText('name').describe('What the session is called in the list.'),
}

export const LoginBody = z
  .strictObject({
    extension: LoginNumber,
    sip_password: Required.refine(
      (text) => fits(text, LONGEST_PASSWORD),
      'sip_password exceeds maximum length',
    ),
    refresh: z
      .boolean()
      .optional()
      .describe(
        'Have a refresh token and a short-lived token; so it is with `device_id`, unless this says no.',
      ),
    ...deviceFields,
  })
  .meta({ id: 'AppLogin' })

export const RefreshBody = z
  .strictObject({
    refresh_token: z
      .string({ error: ({ input }) => (input === undefined ? 'refresh_token is required' : undefined) })
      .min(1, 'refresh_token is required')
      .max(LONGEST_TOKEN, 'refresh_token exceeds maximum length'),
  })
  .meta({ id: 'AppRefresh' })

export const ProvisionBody = z
  .strictObject({
    token: z
      .string({ error: ({ input }) => (input === undefined ? 'token is required' : undefined) })
      .min(1, 'token is required')
      .max(LONGEST_TOKEN, 'token exceeds maximum length'),
    refresh: z.boolean().optional(),
    ...deviceFields,
  })
  .meta({ id: 'AppProvision' })

const refreshFields = { refresh_token: z.string(), refresh_expires_at: z.string() }

export const AuthResult = z
  .object({
    token: z.string().describe('For `Authorization: Bearer`.'),
    expires_at: z.string(),
    refresh_token: refreshFields.refresh_token.optional(),
    refresh_expires_at: refreshFields.refresh_expires_at.optional(),
    extension: Me,
    sip: z.object({
      domain: z.string(),
      port: z.int(),
      tls_port: z.int(),
      username: z.string(),
      password: z.string().describe('As it was sent.'),
      transport: z.enum(SIP_TRANSPORTS),
    }),
  })
  .meta({ id: 'AppAuthResult' })

export const RefreshResult = z
  .object({ token: z.string(), expires_at: z.string(), ...refreshFields })
  .meta({ id: 'AppRefreshResult' })

const describeRefresh = ({ token, expiresAt }: { token: string; expiresAt: Date }) => ({
  refresh_token: token,
  refresh_expires_at: rfc3339(expiresAt),
})

export const describeStarted = (started: StartedSession): z.input<typeof AuthResult> => ({
  token: started.token,
  expires_at: rfc3339(started.expiresAt),
  ...(started.refresh && describeRefresh(started.refresh)),
  extension: describeMe(started.profile),
  sip: {
    domain: started.sip.domain,
    port: started.sip.port,
    tls_port: started.sip.tlsPort,
    username: started.sip.username,
    password: started.sip.password,
    transport: started.sip.transport,
  },
})

export const describeRefreshed = (refreshed: RefreshedSession): z.input<typeof RefreshResult> => ({
  token: refreshed.token,
  expires_at: rfc3339(refreshed.expiresAt),
  ...describeRefresh(refreshed.refresh),
})
