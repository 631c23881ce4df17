import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { SECOND } from '../lib/units.ts'
import type { Sync } from './sync.ts'
import { describeSync, SyncAnswer, SyncQuery } from './sync-schemas.ts'

export interface SyncRouteDeps {
  appAuth: AuthScheme<AppCaller>
  chatSync: Sync
}

/** What an app calls when it starts, comes to the front or was without a network. */
export const syncRoutes = ({ appAuth, chatSync }: SyncRouteDeps): Route[] => [
  route({
    method: 'get',
    path: '/api/v1/app/sync',
    tag: 'Chat',
    summary: 'What has happened since the last time',
    description:
      'Nothing is left out. Calling it with `since` acknowledges all that is before, for the phone of the session: of that it is pushed nothing more. Without `since`, or when that is older than 30 days, the answer has `reset` and the newest conversations.',
    auth: appAuth,
    query: SyncQuery,
    replies: [{ status: 200, description: 'Events in their order.', schema: SyncAnswer }],
    problems: [...APP_PROBLEMS, 'invalid_request', 'too_many_waiting'],
    async handler({ caller, query: { since, limit, wait }, signal }) {
      const wish = { since, limit, waitMs: wait * SECOND, signal }
      return { data: describeSync(caller.tenantId, await orStoreAway(chatSync.sync(caller, wish))) }
    },
  }),
]
