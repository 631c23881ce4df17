import { z } from 'zod'
import { type OperatorCaller, requireRole } from '../http/operator-roles.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { Logger } from '../observability/logger.ts'
import type { LoginLimits } from './login-limits.ts'
import type { LoginStore } from './login-store.ts'
import type { SessionStore } from './session-store.ts'

export interface SessionOperatorDeps {
  logins: LoginStore
  loginLimits: LoginLimits
  appSessions: SessionStore
  clock: Clock
  logger: Logger
}
type Deps = SessionOperatorDeps & {
  operatorAuth: AuthScheme<OperatorCaller>
  deviceMoves: { forget(owner: { tenantId: string; extension: string }): Promise<void> }
}

const ExtensionBody = z
  .strictObject({ tenant_id: z.uuid(), extension: z.string().min(1).max(64) })
  .meta({ id: 'ExtensionOfTenant' })
const problems = [
  ...(['unauthorized', 'forbidden', 'unknown_extension', 'store_unavailable'] as const),
] as const

/** What support does for the owner of an extension. */
export const sessionOperatorRoutes = (deps: Deps): Route[] => [
  route({
    method: 'post',
    path: '/api/v1/operator/extensions/unlock',
    tag: 'Operator',
    summary: 'Let an extension log in that was locked after failed logins',
    auth: requireRole(deps.operatorAuth, 'operator'),
    body: ExtensionBody,
    replies: [
      { status: 200, description: 'It is not locked.', schema: z.object({ status: z.literal('ok') }) },
    ],
    problems,
    async handler({ body, caller }) {
      await unlockExtension(deps, body.tenant_id, body.extension)
      deps.logger.info({ operator: caller.name, ...body }, 'extension unlocked')
      return { data: { status: 'ok' } }
    },
  }),
  route({
    method: 'post',
    path: '/api/v1/operator/extensions/logout',
    tag: 'Operator',
    summary: 'End all sessions of an extension, as after a phone was stolen',
    auth: requireRole(deps.operatorAuth, 'operator'),
    body: ExtensionBody,
    replies: [{ status: 200, description: 'How many there were.', schema: z.object({ ended: z.int() }) }],
    problems,
    async handler({ body, caller }) {
      const { tenantId, extensionId } = await findExtension(deps, body.tenant_id, body.extension)
      const now = new Date(deps.clock.now())
      const ended = await orStoreAway(deps.appSessions.endAll(tenantId, extensionId, 'operator', now))
      await deps.deviceMoves.forget({ tenantId, extension: body.extension })
      deps.logger.info({ operator: caller.name, ...body, ended }, 'extension logged out')
      return { data: { ended } }
    },
  }),
]

export async function unlockExtension(
  deps: Pick<SessionOperatorDeps, 'logins' | 'loginLimits'>,
  tenantId: string,
  number: string,
): Promise<void> {
  await findExtension(deps, tenantId, number)
  await deps.loginLimits.unlock({ tenantId, number })
}

async function findExtension(
  { logins }: Pick<SessionOperatorDeps, 'logins'>,
  tenantId: string,
  number: string,
) {
  const found = await orStoreAway(logins.findIn(tenantId, number))
  if (!found) throw new Problem('unknown_extension')
  return found
}
