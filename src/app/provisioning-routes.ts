import { z } from 'zod'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { rfc3339 } from '../lib/rfc3339.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { SECOND } from '../lib/units.ts'
import type { MakeLink } from './provisioning.ts'

export interface ProvisioningRouteDeps {
  pbxAuth: AuthScheme<{ tenantId: string }>
  tenantSettings: { find(tenantId: string): Promise<{ appHost: string | null } | undefined> }
  makeLink: MakeLink
}

const LinkBody = z
  .strictObject({
    sip_password: z
      .string()
      .min(1)
      .max(1_024)
      .describe('The password of the extension, which the phone needs.'),
    ttl: z.int().min(60).max(3_600).default(600).describe('Seconds the link is good for.'),
    server_url: z
      .url({ protocol: /^https?$/ })
      .max(300)
      .optional()
      .describe('Where the app shall ask; https and the `app_host` of the tenant if absent.'),
  })
  .meta({ id: 'ProvisioningLinkRequest' })

const Link = z
  .object({
    url: z.string().describe('`wakeline://provision?server=…&token=…`'),
    qr: z.string().describe('The same as a QR code, SVG.'),
    expires_at: z.string(),
  })
  .meta({ id: 'ProvisioningLink' })

/** Links and QR codes that log a phone in. */
export const provisioningRoutes = ({ pbxAuth, tenantSettings, makeLink }: ProvisioningRouteDeps): Route[] => [
  route({
    method: 'post',
    path: '/api/v1/pbx/extensions/{number}/provisioning-links',
    tag: 'PBX',
    summary: 'Make a link and a QR code that log a phone in, once',
    auth: pbxAuth,
    params: z.object({ number: z.string().min(1).max(64) }),
    body: LinkBody,
    replies: [{ status: 200, description: 'To be shown to the owner, and to nobody else.', schema: Link }],
    problems: [
      ...(['unauthorized', 'invalid_credentials', 'unknown_extension'] as const),
      ...(['rate_limited', 'store_unavailable'] as const),
    ],
    async handler({ params, body, caller, headers }) {
      const settings = await orStoreAway(tenantSettings.find(caller.tenantId))
      const server = body.server_url ?? `https://${settings?.appHost ?? headers.host ?? ''}`
      const { url, qr, expiresAt } = await makeLink({
        tenantId: caller.tenantId,
        extension: params.number,
        password: body.sip_password,
        lifeMs: body.ttl * SECOND,
        server,
      })
      return { data: { url, qr, expires_at: rfc3339(expiresAt) } }
    },
  }),
]
