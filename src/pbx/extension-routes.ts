import { z } from 'zod'
import type { Extension, ExtensionStore } from '../devices/extension-store.ts'
import type { RegisterDevice } from '../devices/register-device.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import type { PbxKey } from './pbx-key-store.ts'
import { DeviceBody, ExtensionBody, ExtensionNumber, RegistrationBody } from './pbx-schemas.ts'
import type { ReportRegistration } from './registrations.ts'

export interface ExtensionRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  extensions: ExtensionStore
  registerDevice: RegisterDevice
  reportRegistration: ReportRegistration
  appIds: readonly string[]
  /** How many extensions the licences of a tenant are good for. */
  extensionLimit(tenantId: string): Promise<number>
}

const tag = 'PBX'
const Ok = z.object({ status: z.literal('ok') })
const problems = ['invalid_request', 'unauthorized', 'invalid_credentials', 'store_unavailable'] as const

/** What a PBX tells about its extensions and their phones. */
export const extensionRoutes = (deps: ExtensionRouteDeps): Route[] => [
  reportRoute(deps),
  putExtension(deps),
  deleteExtension(deps),
  putDevice(deps),
]

const reportRoute = ({ pbxAuth, reportRegistration }: ExtensionRouteDeps): Route =>
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

const ExtensionAnswer = z
  .object({ id: z.int(), number: z.string(), name: z.string(), dnd: z.boolean() })
  .meta({ id: 'Extension' })

const putExtension = (deps: ExtensionRouteDeps): Route =>
  route({
    method: 'put',
    path: '/api/v1/pbx/extensions/{number}',
    tag,
    summary: 'Create or change an extension',
    description:
      'A licence is good for so many extensions. One more than that is refused; what there is can always be changed, and calls go on.',
    auth: deps.pbxAuth,
    params: z.object({ number: ExtensionNumber }),
    body: ExtensionBody,
    replies: [{ status: 200, description: 'As it is now.', schema: ExtensionAnswer }],
    problems: [...problems, 'too_many_extensions'],
    handler: async ({ params, body, caller }) => ({
      data:
        (await deps.extensions.change(caller.tenantId, params.number, body)) ??
        (await addExtension(deps, caller.tenantId, params.number, body)),
    }),
  })

async function addExtension(
  { extensions, extensionLimit }: ExtensionRouteDeps,
  tenantId: string,
  number: string,
  change: z.output<typeof ExtensionBody>,
): Promise<Extension> {
  const limit = await extensionLimit(tenantId)
  const made = await extensions.create(tenantId, number, change, limit)
  if ('number' in made) return made
  throw new Problem('too_many_extensions', {
    code: 'TOO_MANY_EXTENSIONS',
    extra: {
      hint: `there are ${made.inUse} extensions, and the licence is for ${limit}: remove one, or have the licence changed`,
      in_use: made.inUse,
      max_extensions: limit,
    },
  })
}

const deleteExtension = ({ pbxAuth, extensions }: ExtensionRouteDeps): Route =>
  route({
    method: 'delete',
    path: '/api/v1/pbx/extensions/{number}',
    tag,
    summary: 'Remove an extension with its phones',
    auth: pbxAuth,
    params: z.object({ number: ExtensionNumber }),
    replies: [{ status: 200, description: 'It is gone.', schema: Ok }],
    problems: [...problems, 'unknown_extension'],
    async handler({ params, caller }) {
      if (!(await extensions.remove(caller.tenantId, params.number))) throw new Problem('unknown_extension')
      return { data: { status: 'ok' } }
    },
  })

const putDevice = ({ pbxAuth, extensions, registerDevice, appIds }: ExtensionRouteDeps): Route =>
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
      const extension = await extensions.find(caller.tenantId, params.number)
      if (!extension) throw new Problem('unknown_extension')
      await registerDevice({
        tenantId: caller.tenantId,
        extensionId: extension.id,
        deviceKey: params.device_id,
        appId,
        name: body.name,
        tokens: body.tokens.map((token) => ({ environment: 'production', ...token })),
      })
      return { data: { status: 'ok' } }
    },
  })
