import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { Logger } from '../observability/logger.ts'
import type { SignAppToken } from './app-token.ts'
import { judgeRefresh, type RefreshVerdict } from './session-rotation.ts'
import { ACCESS_MS, REFRESH_MS } from './session-start.ts'
import type { SessionChange, SessionStore, StoredSession } from './session-store.ts'
import type { RefreshTokens } from './session-tokens.ts'

export interface RefreshDeps {
  appSessions: SessionStore
  refreshTokens: RefreshTokens
  signAppToken: SignAppToken
  clock: Clock
  logger: Logger
}

export interface RefreshedSession {
  token: string
  expiresAt: Date
  refresh: { token: string; expiresAt: Date }
}

/** Takes a refresh token for new tokens; throws `invalid_token` when it is not good. One that was used ends its session. */
export const createRefreshSession =
  ({ appSessions, refreshTokens, signAppToken, clock, logger }: RefreshDeps) =>
  async (refreshToken: string): Promise<RefreshedSession> => {
    const ticket = refreshTokens.read(refreshToken)
    if (!ticket) throw new Problem('invalid_token')
    const now = new Date(clock.now())
    const settled = await orStoreAway(
      appSessions.settle(ticket.sessionId, now, (session) => {
        const verdict = judgeRefresh(session, ticket.generation, now)
        return { result: { verdict, session }, ...changeFor(verdict, session, now) }
      }),
    )
    if (settled?.verdict === 'reuse') {
      const { tenantId, extensionId, sessionId } = settled.session
      logger.warn(
        { tenant_id: tenantId, extension_id: extensionId, session_id: sessionId },
        'a refresh token was used twice, so its session was ended',
      )
    }
    if (settled?.verdict !== 'rotate' && settled?.verdict !== 'repeat') throw new Problem('invalid_token')
    const { session, verdict } = settled
    const { token, expiresAt } = await signAppToken(session, ACCESS_MS)
    const next = verdict === 'rotate' ? ticket.generation + 1 : (session.generation ?? 0)
    return {
      token,
      expiresAt,
      refresh: {
        token: refreshTokens.make({ sessionId: session.sessionId, generation: next }),
        expiresAt: verdict === 'rotate' ? endAfter(now) : session.expiresAt,
      },
    }
  }
export type RefreshSession = ReturnType<typeof createRefreshSession>

const endAfter = (now: Date): Date => new Date(now.getTime() + REFRESH_MS)

function changeFor(
  verdict: RefreshVerdict,
  { generation = 0 }: StoredSession,
  now: Date,
): { change?: SessionChange } {
  if (verdict === 'reuse') return { change: { end: 'reuse' } }
  if (verdict !== 'rotate') return {}
  return { change: { generation: generation + 1, refreshedAt: now, expiresAt: endAfter(now) } }
}
