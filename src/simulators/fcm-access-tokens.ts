import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { compactVerify } from 'jose'
import type { Clock } from '../lib/clock.ts'
import { HOUR, MINUTE, SECOND } from '../lib/units.ts'
import { isObject } from './fcm-protocol.ts'

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const GOOGLE_AUDIENCE = 'https://oauth2.googleapis.com/token'
const SCOPES = [
  'https://www.googleapis.com/auth/firebase.messaging',
  'https://www.googleapis.com/auth/cloud-platform',
]
const MAX_ASSERTION_LIFETIME = HOUR
const CLOCK_SKEW = 5 * MINUTE

export type TokenAnswer =
  | { status: 200; body: { access_token: string; expires_in: number; token_type: 'Bearer' } }
  | { status: 400; body: { error: string; error_description: string } }

interface Options {
  clientEmail: string
  publicKey: KeyObject
  clock: Clock
  secret: Buffer
  /** Seconds. */
  lifetime: number
}

/**
 * Google's OAuth2 for service accounts: a signed assertion for an access token.
 * https://developers.google.com/identity/protocols/oauth2/service-account#httprest
 */
export function createAccessTokens(options: Options) {
  const { clock, secret, lifetime } = options
  let revoked = { at: 0, count: 0 }
  let issued = 0

  function issue(): string {
    issued += 1
    // The count tells tokens apart that were issued within one millisecond.
    const claims = `${clock.now()}.${clock.now() + lifetime * SECOND}.${issued}.${randomBytes(4).toString('hex')}`
    return `ya29.${Buffer.from(claims).toString('base64url')}.${mac(secret, claims)}`
  }

  return {
    get issued() {
      return issued
    },
    /** Every access token issued until now is refused from now on. */
    revoke(): void {
      revoked = { at: clock.now(), count: issued }
    },
    /** @param audience The simulator's own address, which an assertion may name in place of Google's. */
    async grant(form: URLSearchParams, audience: string): Promise<TokenAnswer> {
      if (form.get('grant_type') !== GRANT_TYPE) {
        return refuse('unsupported_grant_type', 'Invalid grant_type.')
      }
      const fault = await findAssertionFault(form.get('assertion') ?? '', audience, options)
      if (fault) return fault
      return { status: 200, body: { access_token: issue(), expires_in: lifetime, token_type: 'Bearer' } }
    },
    /** @param authorization The header of a request. */
    isGood(authorization: string | undefined): boolean {
      const [, encoded = '', tag = ''] = /^Bearer ya29\.([\w-]+)\.([\w-]+)$/i.exec(authorization ?? '') ?? []
      const claims = Buffer.from(encoded, 'base64url').toString()
      if (!equals(tag, mac(secret, claims))) return false
      const [issuedAt = 0, expiresAt = 0, count = 0] = claims.split('.').map(Number)
      const isRevoked = issuedAt < revoked.at || (issuedAt === revoked.at && count <= revoked.count)
      return !isRevoked && expiresAt > clock.now()
    },
  }
}

async function findAssertionFault(
  assertion: string,
  audience: string,
  { publicKey, clientEmail, clock }: Options,
): Promise<TokenAnswer | undefined> {
  let claims: unknown
  try {
    const { payload } = await compactVerify(assertion, publicKey, { algorithms: ['RS256'] })
    claims = JSON.parse(Buffer.from(payload).toString())
  } catch {
    return refuse('invalid_grant', 'Invalid JWT Signature.')
  }
  if (!isObject(claims)) return refuse('invalid_grant', 'Invalid JWT: not a set of claims.')
  const { iss, aud, scope, iat, exp } = claims
  if (iss !== clientEmail) return refuse('invalid_grant', 'Invalid grant: account not found')
  if (aud !== GOOGLE_AUDIENCE && aud !== audience && aud !== `${audience}/token`) {
    return refuse('invalid_grant', 'Invalid JWT: failed audience check.')
  }
  if (!isTimely(iat, exp, clock.now())) {
    return refuse(
      'invalid_grant',
      'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.',
    )
  }
  const scopes = typeof scope === 'string' ? scope.split(' ') : []
  if (!SCOPES.some((one) => scopes.includes(one))) {
    return refuse('invalid_scope', 'Invalid OAuth scope or ID token audience provided.')
  }
  return undefined
}

/** @param iat Seconds, as `exp`. @param now Milliseconds. */
function isTimely(iat: unknown, exp: unknown, now: number): boolean {
  if (typeof iat !== 'number' || typeof exp !== 'number') return false
  const lifetime = (exp - iat) * SECOND
  return (
    lifetime > 0 &&
    lifetime <= MAX_ASSERTION_LIFETIME &&
    exp * SECOND > now &&
    iat * SECOND <= now + CLOCK_SKEW
  )
}

const refuse = (error: string, description: string): TokenAnswer => ({
  status: 400,
  body: { error, error_description: description },
})

const mac = (secret: Buffer, text: string): string =>
  createHmac('sha256', secret).update(text).digest('base64url')

function equals(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}
