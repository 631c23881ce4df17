import { z } from 'zod'
import type { DirectoryStore } from '../devices/directory-store.ts'
import type { Presence } from '../devices/presence.ts'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'

export interface DirectoryRouteDeps {
  appAuth: AuthScheme<AppCaller>
  directory: DirectoryStore
  presence: Presence
}

const DirectoryEntry = z
  .object({
    id: z.int(),
    extension: z.string(),
    name: z.string(),
    online: z.boolean().describe('A telephone of it is registered over SIP.'),
    reachable: z.boolean().describe('It is online, or a call can wake one of its phones.'),
  })
  .meta({ id: 'DirectoryEntry' })

/** Whom the app can call. */
export const directoryRoutes = ({ appAuth, directory, presence }: DirectoryRouteDeps): Route[] => [
  route({
    method: 'get',
    path: '/api/v1/app/directory',
    tag: 'App',
    summary: 'The extensions of the same tenant, and who is there',
    auth: appAuth,
    replies: [{ status: 200, description: 'Sorted by extension.', schema: z.array(DirectoryEntry) }],
    problems: APP_PROBLEMS,
    async handler({ caller }) {
      const entries = await orStoreAway(directory.list(caller.tenantId))
      const online = await presence.online(
        caller.tenantId,
        entries.map(({ number }) => number),
      )
      return {
        data: entries.map(({ id, number, name, hasLiveToken }) => ({
          id,
          extension: number,
          name,
          online: online.has(number),
          reachable: online.has(number) || hasLiveToken,
        })),
      }
    },
  }),
]
