import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { describeMe, Me, MeBody, toDestinations } from './profile-schemas.ts'
import type { ProfileStore } from './profile-store.ts'

export interface MeRouteDeps {
  appAuth: AuthScheme<AppCaller>
  profiles: ProfileStore
  deviceMoves: { forget(owner: { tenantId: string; extension: string }): Promise<void> }
}

const tag = 'App'
const path = '/api/v1/app/me'
const problems = [...APP_PROBLEMS, 'unknown_extension'] as const

/** The profile of who is logged in. */
export const meRoutes = ({ appAuth, profiles, deviceMoves }: MeRouteDeps): Route[] => [
  route({
    method: 'get',
    path,
    tag,
    summary: 'Who is logged in, with do-not-disturb and follow-me',
    auth: appAuth,
    replies: [{ status: 200, description: 'The profile.', schema: Me }],
    problems,
    async handler({ caller }) {
      const profile = await orStoreAway(profiles.find(caller.tenantId, caller.extensionId))
      if (!profile) throw new Problem('unknown_extension')
      return { data: describeMe(profile) }
    },
  }),
  route({
    method: 'put',
    path,
    tag,
    summary: 'Change do-not-disturb or follow-me',
    description:
      'What is not given stays. `follow_me_numbers` gives each number the usual times; `follow_me_destinations` says them.',
    auth: appAuth,
    body: MeBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'As it is now.', schema: Me }],
    problems,
    async handler({ caller, body }) {
      const change = {
        dnd: body.dnd,
        followMeEnabled: body.follow_me_enabled,
        followMeDestinations: toDestinations(body),
        followMeStrategy: body.follow_me_strategy,
        followMeConfirm: body.follow_me_confirm,
      }
      const profile = await orStoreAway(profiles.change(caller.tenantId, caller.extensionId, change))
      if (!profile) throw new Problem('unknown_extension')
      // Calls go on from memory when the database is slow, and nobody may be woken from it who has just asked for silence.
      if (body.dnd !== undefined) await deviceMoves.forget(caller)
      return { data: describeMe(profile) }
    },
  }),
]
