import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { parseCookie } from 'cookie'
import { refuseOtherSites } from '../http/cross-origin.ts'
import type { AuthScheme } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { HOUR } from '../lib/units.ts'
import type { OperatorSessionStore } from './operator-session-store.ts'
import type { Operator } from './operator-store.ts'

export const SESSION_COOKIE = 'wakeline_session'
/** A working day: nobody stays logged in overnight on a machine he left. */
export const SESSION_MS = 12 * HOUR

export interface OperatorAuthDeps {
  operatorSessions: OperatorSessionStore
  keyring: Keyring
  clock: Clock
}

/**
 * The session cookie of an operator. Not cached: whoever has logged out is out, on every node at once. A cookie that another site
 * made a browser send is refused for whatever changes something.
 */
export function createOperatorAuth({
  operatorSessions,
  keyring,
  clock,
}: OperatorAuthDeps): AuthScheme<Operator> {
  return {
    name: 'operator',
    stage: 'before-body',
    async verify({ method, headers }) {
      const token = sessionToken(headers)
      if (token === undefined) throw new Problem('unauthorized')
      refuseOtherSites({ method, headers })
      const found = await operatorSessions
        .findOperator(keyring.sessionHash(token), new Date(clock.now()))
        .catch((cause: unknown) => {
          throw new Problem('store_unavailable', { retryAfter: 1, cause })
        })
      if (!found) throw new Problem('unauthorized')
      return found
    },
  }
}

/** Opens a session; returns the token for the cookie. */
export async function openSession(deps: OperatorAuthDeps, operatorId: string): Promise<string> {
  const { operatorSessions, keyring, clock } = deps
  const token = randomBytes(32).toString('base64url')
  const now = clock.now()
  await operatorSessions.deleteExpired(new Date(now))
  await operatorSessions.insert({
    tokenHash: keyring.sessionHash(token),
    operatorId,
    expiresAt: new Date(now + SESSION_MS),
  })
  return token
}

/** Ends the session of a request, if it has one. */
export async function closeSession(
  { operatorSessions, keyring }: OperatorAuthDeps,
  headers: IncomingHttpHeaders,
): Promise<void> {
  const token = sessionToken(headers)
  if (token !== undefined) await operatorSessions.delete(keyring.sessionHash(token))
}

const sessionToken = ({ cookie }: IncomingHttpHeaders): string | undefined =>
  cookie === undefined ? undefined : parseCookie(cookie)[SESSION_COOKIE]
