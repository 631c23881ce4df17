import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'
import {
  describePushSettings,
  PushSettingsAnswer,
  PushSettingsBody,
  toChange,
} from './push-settings-schemas.ts'
import type { PushSettingsStore } from './push-settings-store.ts'

export interface PushSettingsRouteDeps {
  appAuth: AuthScheme<AppCaller>
  pushSettings: PushSettingsStore
}

const tag = 'Chat'
const path = '/api/v1/app/push-settings'

/** What the phones of who is logged in are told of chat. */
export const pushSettingsRoutes = ({ appAuth, pushSettings }: PushSettingsRouteDeps): Route[] => [
  route({
    method: 'get',
    path,
    tag,
    summary: 'What is pushed to oneself, and when',
    auth: appAuth,
    replies: [{ status: 200, description: 'As it is.', schema: PushSettingsAnswer }],
    problems: APP_PROBLEMS,
    handler: async ({ caller }) => ({
      data: describePushSettings(await orStoreAway(pushSettings.find(caller))),
    }),
  }),
  route({
    method: 'put',
    path,
    tag,
    summary: 'Change what is pushed to oneself',
    description: 'What is not given stays.',
    auth: appAuth,
    body: PushSettingsBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'As it is now.', schema: PushSettingsAnswer }],
    problems: APP_PROBLEMS,
    handler: async ({ caller, body }) => ({
      data: describePushSettings(await orStoreAway(pushSettings.change(caller, toChange(body)))),
    }),
  }),
]
