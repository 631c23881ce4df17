import { z } from 'zod'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { rfc3339 } from '../lib/rfc3339.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { SessionStore } from './session-store.ts'

export interface SessionRouteDeps {
  appAuth: AuthScheme<AppCaller>
  appSessions: SessionStore
  deviceMoves: { forget(owner: { tenantId: string; extension: string }): Promise<void> }
  clock: Clock
}

const tag = 'App'
const Ok = z.object({ status: z.literal('ok') })

const Session = z
  .object({
    id: z.uuid(),
    device_id: z.string().nullable(),
    name: z.string(),
    address: z.string().describe('From which it was opened.'),
    created_at: z.string(),
    last_seen_at: z.string().describe('To the minute.'),
    expires_at: z.string(),
    current: z.boolean().describe('The one that asks.'),
  })
  .meta({ id: 'AppSession' })

/** Where an extension is logged in, and the ways out. */
export const sessionRoutes = (deps: SessionRouteDeps): Route[] => [
  logoutRoute(deps),
  listRoute(deps),
  endRoute(deps),
]

const logoutRoute = ({ appAuth, appSessions, deviceMoves, clock }: SessionRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/app/auth/logout',
    tag,
    summary: 'End the session of this token',
    auth: appAuth,
    replies: [{ status: 200, description: 'It has ended.', schema: Ok }],
    problems: APP_PROBLEMS,
    async handler({ caller }) {
      const { sessionId: id } = caller
      await orStoreAway(appSessions.end({ ...caller, id }, 'logout', new Date(clock.now())))
      await deviceMoves.forget(caller)
      return { data: { status: 'ok' } }
    },
  })

const listRoute = ({ appAuth, appSessions, clock }: SessionRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/app/sessions',
    tag,
    summary: 'Where this extension is logged in',
    auth: appAuth,
    replies: [{ status: 200, description: 'The newest first.', schema: z.array(Session) }],
    problems: APP_PROBLEMS,
    async handler({ caller }) {
      const { tenantId, extensionId, sessionId } = caller
      const sessions = await orStoreAway(appSessions.list(tenantId, extensionId, new Date(clock.now())))
      return {
        data: sessions.map((session) => ({
          id: session.id,
          device_id: session.deviceKey,
          name: session.name,
          address: session.address,
          created_at: rfc3339(session.createdAt),
          last_seen_at: rfc3339(session.lastSeenAt),
          expires_at: rfc3339(session.expiresAt),
          current: session.id === sessionId,
        })),
      }
    },
  })

const endRoute = ({ appAuth, appSessions, deviceMoves, clock }: SessionRouteDeps): Route =>
  route({
    method: 'delete',
    path: '/api/v1/app/sessions/{id}',
    tag,
    summary: 'End a session of this extension',
    auth: appAuth,
    params: z.object({ id: z.uuid('invalid session id') }),
    replies: [{ status: 200, description: 'It has ended.', schema: Ok }],
    problems: [...APP_PROBLEMS, 'unknown_session'],
    async handler({ caller, params }) {
      const own = { tenantId: caller.tenantId, extensionId: caller.extensionId, id: params.id }
      const hasEnded = await orStoreAway(appSessions.end(own, 'revoked', new Date(clock.now())))
      if (!hasEnded) throw new Problem('unknown_session')
      await deviceMoves.forget(caller)
      return { data: { status: 'ok' } }
    },
  })
