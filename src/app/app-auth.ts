import { createSecretKey, type KeyObject } from 'node:crypto'
import { Passport, type Strategy as PassportStrategy } from 'passport'
import { Strategy } from 'passport-jwt'
import { z } from 'zod'
import type { AppTokenHolder } from '../http/app-caller.ts'
import type { AuthScheme } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import { ALGORITHM, AUDIENCE, ISSUER, TOKEN_HEADER } from './app-token.ts'
import type { SessionStore } from './session-store.ts'

export interface AppAuthDeps {
  appSessions: SessionStore
  /** Any of these may have signed. */
  appTokenSecrets: readonly Uint8Array[]
  clock: Clock
  events: Pick<Events, 'backgroundError'>
}

/** A session is noted as seen at most once in this time. */
const SEEN_EVERY_MS = MINUTE

const Claims = z.object({
  ext_id: z.int().positive(),
  ext: z.string().min(1),
  sub: z.string().min(1),
  sid: z.uuid(),
  iat: z.number(),
  exp: z.number(),
})
type Claims = z.output<typeof Claims>

/**
 * `Authorization: Bearer <token of a login>`. The session is looked up each time: what is revoked is out at once, on every node. The
 * app forgets everything on a 401, so there is none but for these sentences, which are FlowPBX's; a database that is away is a 503.
 */
export function createAppAuth({
  appSessions,
  appTokenSecrets,
  clock,
  events,
}: AppAuthDeps): AuthScheme<AppTokenHolder> {
  const readToken = createReadToken(appTokenSecrets, clock)
  return {
    name: 'app',
    stage: 'before-body',
    async verify({ headers: { authorization } }) {
      if (!authorization) throw new Problem('unauthorized')
      const [, token] = /^bearer +(\S+)$/i.exec(authorization) ?? []
      if (token === undefined) throw new Problem('invalid_authorization_header')
      const claims = await readToken(token)
      const now = new Date(clock.now())
      const session = await appSessions.findLive(claims.sid, claims.ext_id, now).catch((cause: unknown) => {
        throw new Problem('store_unavailable', { retryAfter: 1, cause })
      })
      if (!session) throw new Problem('invalid_token')
      const { lastSeenAt, ...caller } = session
      if (caller.extension !== claims.ext || claims.sub !== claims.ext) {
        throw new Problem('invalid_token_claims')
      }
      if (now.getTime() - lastSeenAt.getTime() >= SEEN_EVERY_MS) {
        await appSessions
          .touch(caller.sessionId, now)
          .catch((error: unknown) => events.backgroundError('app-sessions', toError(error)))
      }
      return { ...caller, tokenExpiresAt: new Date(claims.exp * SECOND) }
    },
  }
}

/** What a token says, once it is certain that we said it. */
function createReadToken(secrets: readonly Uint8Array[], clock: Clock) {
  const passport = new Passport()
  // jsonwebtoken would try each time whether a Buffer is a public key, which takes longer than all the rest.
  const keys = secrets.map((secret) => createSecretKey(secret))
  return (token: string): Promise<Claims> => {
    const { promise, resolve, reject } = Promise.withResolvers<Claims>()
    // jsonwebtoken would take others; ours all begin alike.
    if (!token.startsWith(`${TOKEN_HEADER}.`)) throw new Problem('invalid_token')
    const timestamp = Math.floor(clock.now() / SECOND)
    const strategies = keys.map((key) => strategyFor(token, key, timestamp))
    const answer = (error: unknown, claims: unknown): void => {
      if (error) reject(error)
      else if (!claims) reject(new Problem('invalid_token'))
      else resolve(claims as Claims)
    }
    // passport tries one after the other; its types know only one of them, or names.
    const chain = strategies as unknown as PassportStrategy
    try {
      passport.authenticate(chain, { session: false }, answer)({}, {}, answer)
    } catch (cause) {
      // jsonwebtoken throws for a payload that is `null`.
      throw new Problem('invalid_token', { cause })
    }
    return promise
  }
}

/** For this one token, because the time it is judged by belongs to the options. */
const strategyFor = (token: string, key: KeyObject, clockTimestamp: number): Strategy =>
  new Strategy(
    {
      jwtFromRequest: () => token,
      // The types of passport-jwt know less than jsonwebtoken takes.
      secretOrKey: key as unknown as Buffer,
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      jsonWebTokenOptions: { clockTimestamp },
    },
    (payload: unknown, done) => {
      const { success, data } = Claims.safeParse(payload)
      if (success) done(null, data)
      else done(new Problem('invalid_token_claims'))
    },
  )
