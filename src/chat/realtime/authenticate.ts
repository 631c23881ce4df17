import type { IncomingMessage } from 'node:http'
import type { AppTokenHolder } from '../../http/app-caller.ts'
import type { AuthScheme } from '../../http/route.ts'
import type { Clock } from '../../lib/clock.ts'
import { Problem } from '../../lib/problem.ts'
import { orStoreAway } from '../../lib/store-away.ts'
import type { LiveSessions } from './session-watch.ts'
import type { Tickets } from './tickets.ts'

export interface AuthenticateDeps {
  appAuth: AuthScheme<AppTokenHolder>
  tickets: Pick<Tickets, 'redeem'>
  liveSessions: LiveSessions
  clock: Clock
}

/** What a client says in place of a header that it cannot set: the name of what follows, and that. */
export const SECRET_PROTOCOLS = ['bearer', 'ticket'] as const

/** Who wants a socket, from what a request for an upgrade can carry. Never from its URL, which stands in logs. */
export function createAuthenticate({ appAuth, tickets, liveSessions, clock }: AuthenticateDeps) {
  /** Throws for a token that is not good. */
  const readToken = (token: string): Promise<AppTokenHolder> => verify(`Bearer ${token}`)
  const verify = (authorization: string | undefined): Promise<AppTokenHolder> =>
    appAuth.verify({
      ...{ method: 'GET', headers: authorization === undefined ? {} : { authorization } },
      ...{ body: undefined, query: {}, address: '', setHeader: () => undefined },
    })

  const spendTicket = async (ticket: string): Promise<AppTokenHolder> => {
    const ticketed = await tickets.redeem(ticket)
    if (!ticketed || ticketed.tokenExpiresAt <= clock.now()) throw new Problem('invalid_token')
    const { sessionId, tokenExpiresAt } = ticketed
    const live = await orStoreAway(liveSessions.among([sessionId], new Date(clock.now())))
    const session = live.get(sessionId)
    if (!session) throw new Problem('invalid_token')
    return { ...session, tokenExpiresAt: new Date(tokenExpiresAt) }
  }

  return {
    readToken,
    async authenticate({ headers }: IncomingMessage): Promise<AppTokenHolder> {
      if (headers.authorization !== undefined) return verify(headers.authorization)
      const [kind, secret = ''] = (headers['sec-websocket-protocol'] ?? '')
        .split(',')
        .map((part) => part.trim())
      if (kind === 'bearer') return readToken(secret)
      if (kind === 'ticket') return spendTicket(secret)
      return verify(undefined)
    },
  }
}
export type Authenticate = ReturnType<typeof createAuthenticate>['authenticate']
