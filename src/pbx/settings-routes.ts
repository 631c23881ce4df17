import { z } from 'zod'
import {
  SIP_TRANSPORTS,
  type TenantSettings,
  type TenantSettingsStore,
} from '../devices/tenant-settings-store.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import type { PbxKey } from './pbx-key-store.ts'

export interface SettingsRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  tenantSettings: TenantSettingsStore
}

const tag = 'PBX'
const path = '/api/v1/pbx/settings'
const problems = ['invalid_request', 'unauthorized', 'invalid_credentials', 'store_unavailable'] as const

/** A name or an address; names are the same in any case (RFC 4343). */
const Host = z
  .string()
  .max(253)
  .regex(/^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/i, 'must be a host name or an address')
  .transform((host) => host.toLowerCase())
const Port = z.int().min(1).max(65_535)

const SettingsBody = z
  .strictObject({
    app_host: Host.nullable().optional().describe('The name under which the apps ask; null for none.'),
    sip: z
      .strictObject({
        domain: z
          .union([Host, z.literal('')])
          .optional()
          .describe('Where the apps register. Empty: where they ask.'),
        port: Port.optional(),
        tls_port: Port.optional(),
        transport: z.enum(SIP_TRANSPORTS).optional(),
      })
      .optional(),
  })
  .meta({ id: 'SettingsChange' })

const Settings = z
  .object({
    app_host: z.string().nullable(),
    sip: z.object({
      domain: z.string(),
      port: z.int(),
      tls_port: z.int(),
      transport: z.enum(SIP_TRANSPORTS),
    }),
  })
  .meta({ id: 'Settings' })

const describeSettings = ({ appHost, sip }: TenantSettings): z.input<typeof Settings> => ({
  app_host: appHost,
  sip: { domain: sip.domain, port: sip.port, tls_port: sip.tlsPort, transport: sip.transport },
})

/** What a PBX tells of itself for the apps of its extensions. */
export const settingsRoutes = ({ pbxAuth, tenantSettings }: SettingsRouteDeps): Route[] => [
  route({
    method: 'get',
    path,
    tag,
    summary: 'What the apps of this tenant are told',
    auth: pbxAuth,
    replies: [{ status: 200, description: 'As it is.', schema: Settings }],
    problems: [...problems, 'unknown_tenant'],
    async handler({ caller }) {
      const settings = await tenantSettings.find(caller.tenantId)
      if (!settings) throw new Problem('unknown_tenant')
      return { data: describeSettings(settings) }
    },
  }),
  route({
    method: 'put',
    path,
    tag,
    summary: 'Change what the apps of this tenant are told',
    description: 'What is not given stays.',
    auth: pbxAuth,
    body: SettingsBody,
    replies: [{ status: 200, description: 'As it is now.', schema: Settings }],
    problems: [...problems, 'unknown_tenant', 'app_host_taken'],
    async handler({ caller, body }) {
      const { sip } = body
      const settings = await tenantSettings.change(caller.tenantId, {
        appHost: body.app_host,
        sip: sip && {
          domain: sip.domain,
          port: sip.port,
          tlsPort: sip.tls_port,
          transport: sip.transport,
        },
      })
      if (!settings) throw new Problem('unknown_tenant')
      if (settings === 'taken') throw new Problem('app_host_taken', { field: 'app_host' })
      return { data: describeSettings(settings) }
    },
  }),
]
