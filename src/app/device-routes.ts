import { z } from 'zod'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { AppDevices } from './app-devices.ts'
import { DeviceAnswer, type GivenDevice, RegisterDeviceBody, tokensOf } from './device-schemas.ts'

export interface DeviceRouteDeps {
  appAuth: AuthScheme<AppCaller>
  appDevices: AppDevices
  appIds: readonly string[]
}

const tag = 'App'
const problems = [...APP_PROBLEMS, 'invalid_request'] as const

/** The phones of who is logged in. A push token goes in here, and never out again. */
export const deviceRoutes = (deps: DeviceRouteDeps): Route[] => [
  registerRoute(deps),
  listDevices(deps),
  removeDevice(deps, '/api/v1/app/devices/{id}'),
  removeDevice(deps, '/devices/{id}'),
  removeToken(deps),
]

const registerRoute = ({ appAuth, appDevices, appIds }: DeviceRouteDeps): Route =>
  route({
    method: 'post',
    path: '/devices/register',
    tag,
    summary: 'Register this phone with its push tokens',
    description:
      'Repeating it is harmless; what is not given stays as it was. A token that another extension had is this one’s now. A `device_id` that is another extension’s is taken over only with one of that phone’s tokens; otherwise this is a phone of its own. A client that only chats may say no more than `device_token` and `platform`.',
    auth: appAuth,
    body: RegisterDeviceBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'What is stored now.', schema: DeviceAnswer }],
    problems: [...problems, 'unknown_app'],
    async handler({ body, caller }) {
      const { app_id, name, app_version, locale }: GivenDevice = body
      const appId = app_id ?? appIds[0] ?? ''
      if (app_id !== undefined && !appIds.includes(appId))
        throw new Problem('unknown_app', { field: 'app_id' })
      const tokens = tokensOf(body)
      const registration = {
        // An empty one is none, as for the push token.
        deviceKey: body.device_id || caller.deviceKey || appDevices.idFromToken(tokens[0]?.token ?? ''),
        ...{ appId, platform: body.platform, name, appVersion: app_version, locale, tokens },
      }
      return { data: await orStoreAway(appDevices.register(caller, registration)) }
    },
  })

const listDevices = ({ appAuth, appDevices }: DeviceRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/app/devices',
    tag,
    summary: 'The phones of the extension, the last seen first',
    auth: appAuth,
    replies: [{ status: 200, description: 'All of them.', schema: z.array(DeviceAnswer) }],
    problems,
    handler: async ({ caller }) => ({ data: await orStoreAway(appDevices.list(caller)) }),
  })

const removeDevice = ({ appAuth, appDevices }: DeviceRouteDeps, path: string): Route =>
  route({
    method: 'delete',
    path,
    tag,
    summary: 'Remove a phone',
    description: 'It gets no more pushes, and whoever is logged in on it is out.',
    auth: appAuth,
    params: z.object({ id: z.uuid('id must be a UUID') }),
    replies: [{ status: 200, description: 'It is gone.', schema: z.object({ status: z.literal('ok') }) }],
    problems: [...problems, 'unknown_device'],
    async handler({ params: { id }, caller }) {
      await orStoreAway(appDevices.remove(caller, id))
      return { data: { status: 'ok' } }
    },
  })

const removeToken = ({ appAuth, appDevices }: DeviceRouteDeps): Route =>
  route({
    method: 'delete',
    path: '/api/v1/app/devices/{id}/tokens/{token_id}',
    tag,
    summary: 'Remove one token of a phone',
    description: 'Without its `alert` token a phone rings and is told of nothing else.',
    auth: appAuth,
    params: z.object({ id: z.uuid('id must be a UUID'), token_id: z.uuid('token_id must be a UUID') }),
    replies: [{ status: 200, description: 'It is gone.', schema: z.object({ status: z.literal('ok') }) }],
    problems: [...problems, 'unknown_device_token'],
    async handler({ params: { id, token_id: tokenId }, caller }) {
      await orStoreAway(appDevices.removeToken(caller, { id, tokenId }))
      return { data: { status: 'ok' } }
    },
  })
