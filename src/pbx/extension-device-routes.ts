import { z } from 'zod'
import type { ExtensionStore } from '../devices/extension-store.ts'
import type { RegisterDevice } from '../devices/register-device.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { PbxKey } from './pbx-key-store.ts'
import { DeviceBody, ExtensionNumber, RegistrationBody } from './pbx-schemas.ts'
import type { ReportRegistration } from './registrations.ts'

export interface ExtensionDeviceRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  extensions: Pick<ExtensionStore, 'find'>
  registerDevice: RegisterDevice
  reportRegistration: ReportRegistration
  appIds: readonly string[]
}

const tag = 'PBX'
const Ok = z.object({ status: z.literal('ok') })
const problems = ['invalid_request', 'unauthorized', 'invalid_credentials', 'store_unavailable'] as const

/** What a PBX tells about the phones of its extensions. */
export const extensionDeviceRoutes = (deps: ExtensionDeviceRouteDeps): Route[] => [
  reportRoute(deps),
  putDevice(deps),
]

const reportRoute = ({ pbxAuth, reportRegistration }: ExtensionDeviceRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/pbx/registrations',
    tag,
    summary: 'Report a SIP registration, which releases held calls',
    description:
      'A phone is known by its `device_id`, by a push token in its contact (`pn-prid`), or because the PBX says `mobile: true`. Anything else, such as a desk phone, is answered with `counts: false` and releases nothing.',
    auth: pbxAuth,
    body: RegistrationBody,
    replies: [{ status: 200, description: 'Noted.', schema: Ok.extend({ counts: z.boolean() }) }],
    problems: [...problems, 'queue_unavailable'],
    async handler({ body, caller }) {
      const { counts } = await reportRegistration(caller.tenantId, {
        extension: body.extension,
        contact: body.contact,
        deviceKey: body.device_id,
        mobile: body.mobile,
        expires: body.expires,
      })
      return { data: { status: 'ok', counts } }
    },
  })

const putDevice = ({ pbxAuth, extensions, registerDevice, appIds }: ExtensionDeviceRouteDeps): Route =>
  route({
    method: 'put',
    path: '/api/v1/pbx/extensions/{number}/devices/{device_id}',
    tag,
    summary: 'Register a phone of an extension with its push tokens',
    description:
      'Repeating it is harmless. A token or device that belonged to another extension moves to this one. An extension has at most 10 devices: for an eleventh, the longest unseen one goes.',
    auth: pbxAuth,
    params: z.object({ number: ExtensionNumber, device_id: z.string().min(1).max(200) }),
    body: DeviceBody,
    replies: [{ status: 200, description: 'Stored.', schema: Ok }],
    problems: [...problems, 'unknown_extension', 'unknown_app'],
    async handler({ params, body, caller }) {
      const appId = body.app_id ?? appIds[0] ?? ''
      if (body.app_id !== undefined && !appIds.includes(appId))
        throw new Problem('unknown_app', { field: 'app_id' })
      const extension = await orStoreAway(extensions.find(caller.tenantId, params.number))
      if (!extension) throw new Problem('unknown_extension')
      const registration = {
        tenantId: caller.tenantId,
        extensionId: extension.id,
        deviceKey: params.device_id,
        appId,
        name: body.name,
        tokens: body.tokens.map((token) => ({ environment: 'production' as const, ...token })),
      }
      await orStoreAway(registerDevice(registration))
      return { data: { status: 'ok' } }
    },
  })
