import { z } from 'zod'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { AppDevices } from './app-devices.ts'
import { PushTokenBody } from './device-schemas.ts'

export interface PushTokenRouteDeps {
  appAuth: AuthScheme<AppCaller>
  appDevices: AppDevices
  appIds: readonly string[]
}

/** As the unmodified FlowPBX app registers its one token: after a login, at every start, and when Google changes it. */
export const pushTokenRoutes = ({ appAuth, appDevices, appIds }: PushTokenRouteDeps): Route[] => [
  route({
    method: 'post',
    path: '/api/v1/app/push-token',
    tag: 'App',
    summary: 'Register the push token of this phone',
    description:
      'The same as `POST /devices/register` with one token. A token that another extension had moves.',
    auth: appAuth,
    body: PushTokenBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'Stored.', schema: z.object({ status: z.literal('ok') }) }],
    problems: [...APP_PROBLEMS, 'invalid_request'],
    async handler({ body: { token, platform, device_id, app_version }, caller }) {
      // An empty one is none: that is how Go sends what is not set. Otherwise it is the phone that has logged in.
      const named = device_id || caller.deviceKey
      const registration = {
        deviceKey: named ?? appDevices.idFromToken(token),
        appId: appIds[0] ?? '',
        platform,
        appVersion: app_version,
        tokens: [
          platform === 'apns'
            ? ({ kind: 'apns_voip', token } as const)
            : ({ kind: 'fcm', environment: 'production', token } as const),
        ],
      }
      await orStoreAway(appDevices.register(caller, registration))
      return { data: { status: 'ok' } }
    },
  }),
]
