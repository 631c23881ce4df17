import { z } from 'zod'
import {
  SIP_TRANSPORTS,
  type TenantSettings,
  type TenantSettingsStore,
} from '../devices/tenant-settings-store.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { HOST_NAME } from '../lib/host-name.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { PbxKey } from './pbx-key-store.ts'

export interface SettingsRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  tenantSettings: TenantSettingsStore
  /** By whose name several tenants are asked: who had one alone would get the logins of all. */
  sharedAppHosts: readonly string[]
}

const tag = 'PBX'
const path = '/api/v1/pbx/settings'
const problems = ['invalid_request', 'unauthorized', 'invalid_credentials', 'store_unavailable'] as const

const Host = z
  .string()
  .max(253)
  .regex(HOST_NAME, 'must be a host name or an address')
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
export const settingsRoutes = (deps: SettingsRouteDeps): Route[] => [readSettings(deps), changeSettings(deps)]

const readSettings = ({ pbxAuth, tenantSettings }: SettingsRouteDeps): Route =>
  route({
    method: 'get',
    path,
    tag,
    summary: 'What the apps of this tenant are told',
    auth: pbxAuth,
    replies: [{ status: 200, description: 'As it is.', schema: Settings }],
    problems: [...problems, 'unknown_tenant'],
    async handler({ caller }) {
      const settings = await orStoreAway(tenantSettings.find(caller.tenantId))
      if (!settings) throw new Problem('unknown_tenant')
      return { data: describeSettings(settings) }
    },
  })

const changeSettings = (deps: SettingsRouteDeps): Route =>
  route({
    method: 'put',
    path,
    tag,
    summary: 'Change what the apps of this tenant are told',
    description: 'What is not given stays.',
    auth: deps.pbxAuth,
    body: SettingsBody,
    replies: [{ status: 200, description: 'As it is now.', schema: Settings }],
    problems: [...problems, 'unknown_tenant', 'app_host_taken', 'app_host_shared', 'sip_domain_taken'],
    async handler({ caller, body }) {
      const { app_host: appHost, sip } = body
      if (isShared(deps, appHost)) throw new Problem('app_host_shared', { field: 'app_host' })
      if (isShared(deps, sip?.domain)) throw new Problem('app_host_shared', { field: 'sip.domain' })
      const { port, tls_port: tlsPort, transport, domain } = sip ?? {}
      const change = { appHost, sip: { domain, port, tlsPort, transport } }
      const settings = await orStoreAway(deps.tenantSettings.change(caller.tenantId, change))
      if (!settings) throw new Problem('unknown_tenant')
      if (settings === 'app_host_taken') throw new Problem(settings, { field: 'app_host' })
      if (settings === 'sip_domain_taken') throw new Problem(settings, { field: 'sip.domain' })
      return { data: describeSettings(settings) }
    },
  })

const isShared = ({ sharedAppHosts }: SettingsRouteDeps, host: string | null | undefined): boolean =>
  sharedAppHosts.includes((host ?? '').replace(/\.$/, ''))
