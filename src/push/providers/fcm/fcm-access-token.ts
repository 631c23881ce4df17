import type { IncomingMessage } from 'node:http'
import type { Agent } from 'node:https'
import { request } from 'node:https'
import { types } from 'node:util'
import { importPKCS8, SignJWT } from 'jose'
import { z } from 'zod'
import type { Clock } from '../../../lib/clock.ts'
import { MINUTE, SECOND } from '../../../lib/units.ts'
import type { FcmCredentials } from '../../app-credentials.ts'

/** https://developers.google.com/identity/protocols/oauth2/service-account#httprest */
const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging'

/** A token is renewed this long before its end, while pushes go on with the old one. */
const EARLY = 5 * MINUTE
/** A token younger than this is not renewed for being refused: the next one would be refused as well. */
const MIN_AGE = MINUTE
const TIMEOUT = 2 * SECOND
/** Characters; Google's answers have some thousand. */
const MAX_BODY = 65_536

const Grant = z.object({ access_token: z.string(), expires_in: z.number() })
const Refusal = z.object({ error: z.string() })

/** Why there is no access token. `isOurFault`: Google refused the service account, so trying again is of no use. */
export class AccessTokenError extends Error {
  override readonly name = 'AccessTokenError'
  readonly isOurFault: boolean

  constructor(message: string, isOurFault: boolean, cause?: unknown) {
    super(message, { cause })
    this.isOurFault = isOurFault
  }
}

interface AccessToken {
  value: string
  /** Milliseconds since the epoch. */
  issuedAt: number
  expiresAt: number
}

export interface AccessTokens {
  /** @throws AccessTokenError */
  current(): Promise<string>
  /** @param refused The token that Google refused. @returns Whether the next call of `current` gets another one. */
  renew(refused: string): boolean
}

/**
 * Access tokens of a service account. firebase-admin's own credential does not use the agent of its app, so it could not be led to
 * another endpoint; nor does it renew early, so that all pushes wait once an hour.
 */
export function createAccessTokens(credentials: FcmCredentials, agent: Agent, clock: Clock): AccessTokens {
  let token: AccessToken | undefined
  let fetching: Promise<AccessToken> | undefined

  function fetchOnce(): Promise<AccessToken> {
    fetching ??= fetchToken(credentials, agent, clock).finally(() => {
      fetching = undefined
    })
    return fetching
  }

  async function refresh(): Promise<string> {
    token = await fetchOnce()
    return token.value
  }

  return {
    async current() {
      const now = clock.now()
      if (!token || token.expiresAt <= now) return refresh()
      // A failure is no loss yet: the next push tries again, and after the end of the token it reports it.
      if (token.expiresAt - EARLY <= now) void refresh().catch(() => undefined)
      return token.value
    },
    renew(refused) {
      // Of many pushes that are refused together, the first has done it for all.
      if (token?.value !== refused) return true
      if (clock.now() - token.issuedAt < MIN_AGE) return false
      token = undefined
      return true
    },
  }
}

async function fetchToken(credentials: FcmCredentials, agent: Agent, clock: Clock): Promise<AccessToken> {
  const issuedAt = clock.now()
  const form = new URLSearchParams({
    grant_type: GRANT_TYPE,
    assertion: await signAssertion(credentials, issuedAt),
  })
  const { status, body } = await post(form.toString(), agent)
  const grant = Grant.safeParse(body)
  if (status === 200 && grant.success) {
    const { access_token: value, expires_in: seconds } = grant.data
    return { value, issuedAt, expiresAt: issuedAt + seconds * SECOND }
  }
  const word = Refusal.safeParse(body).data?.error ?? 'no reason'
  throw new AccessTokenError(`status ${status}, ${word}`, status >= 400 && status < 500 && status !== 429)
}

/** @param now Milliseconds since the epoch. */
async function signAssertion({ privateKey, clientEmail }: FcmCredentials, now: number): Promise<string> {
  const issuedAt = Math.floor(now / SECOND)
  return new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
    .setIssuer(clientEmail)
    .setAudience(TOKEN_URL)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + 3_600)
    .sign(await importPKCS8(privateKey, 'RS256'))
}

async function post(form: string, agent: Agent): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const signal = AbortSignal.timeout(TIMEOUT)
  try {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: unknown }>()
    const call = request(TOKEN_URL, { method: 'POST', agent, headers, signal }, (response) => {
      readBody(response).then(
        (content) => resolve({ status: response.statusCode ?? 0, body: parse(content) }),
        reject,
      )
    })
    call.on('error', reject)
    call.end(form)
    return await promise
  } catch (error) {
    const code = types.isNativeError(error) && 'code' in error ? String(error.code) : 'no connection'
    throw new AccessTokenError(signal.aborted ? 'no answer in time' : code, false, error)
  }
}

/** @returns Nothing of a body that is longer than any of Google's. */
async function readBody(response: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) {
    body += String(chunk)
    if (body.length > MAX_BODY) return ''
  }
  return body
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return undefined // a page in place of JSON: the status says enough
  }
}
