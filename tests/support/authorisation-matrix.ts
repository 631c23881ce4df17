import type { Role } from '../../src/http/operator-roles.ts'
import { newId } from '../../src/lib/ids.ts'
import { keyPrefix } from '../../src/license/license-key.ts'
import type { Customer, Owner } from './authorisation-world.ts'
import { apnsToken, callId } from './gateway.ts'
import { MULTIPART, multipart, parts } from './voicemail.ts'

/** Whose things a request is about: a person, or the customer he belongs to. */
export interface Target {
  customer: Customer
  owner: Owner
}

export interface Line {
  /** `METHOD /path` as the route has it. */
  route: string
  /** What its own caller is answered. */
  ok: number
  /** What stands for the `{names}` in the path. */
  path?(target: Target): Record<string, string>
  query?: string | ((target: Target) => string)
  body?(target: Target): unknown
  /** Raw, with its headers. */
  upload?(target: Target): { body: Buffer; headers: Record<string, string> }
  /**
   * What the same request about somebody else's things is answered; `ids are chosen by the caller`: it is about things of his own
   * that have the same name. Absent: nothing in the request is anybody's.
   */
  foreign?: number | 'ids are chosen by the caller'
}

/** A line of operators, who see all customers. */
export interface OperatorLine extends Line {
  /** Whoever has a role below this one is refused. */
  least: Role
}

const number = ({ owner }: Target) => ({ number: owner.number })
const call = ({ customer }: Target) => ({ id: customer.call })
const webhook = ({ customer }: Target) => ({ id: customer.webhook })
const voicemail = ({ owner }: Target) => ({ id: String(owner.voicemail) })
const seat = ({ customer }: Target) => ({ instance_id: customer.installation })
const conversation = ({ owner }: Target) => ({ id: owner.conversation })
const message = ({ owner }: Target) => ({ id: owner.message })
const said = () => ({ client_id: newId(), content: 'Hello' })
const empty = () => ({})
const push = () => ({ push_token: apnsToken(), push_platform: 'apns', call_id: callId() })
const named = 'ids are chosen by the caller' as const

const LICENSED: readonly Line[] = [
  { route: 'POST /v1/push', ok: 200, body: push },
  { route: 'POST /v1/push/batch', ok: 202, body: () => ({ pushes: [{ id: 'a', ...push() }] }) },
  { route: 'GET /v1/push/{id}', ok: 200, path: ({ customer }) => ({ id: customer.push }), foreign: 404 },
  { route: 'GET /v1/tokens/invalid', ok: 200, query: 'since=2026-01-01T00:00:00Z' },
  { route: 'POST /v1/webhooks', ok: 201, body: () => ({ url: `https://example.com/${newId()}` }) },
  { route: 'GET /v1/webhooks', ok: 200 },
  { route: 'GET /v1/webhooks/{id}/deliveries', ok: 200, path: webhook, foreign: 404 },
  { route: 'POST /v1/webhooks/{id}/test', ok: 202, path: webhook, body: empty, foreign: 404 },
  {
    route: 'POST /v1/webhooks/{id}/deliveries/{event_id}/redeliver',
    ok: 202,
    path: ({ customer }) => ({ id: customer.webhook, event_id: customer.event }),
    body: empty,
    foreign: 404,
  },
  { route: 'POST /v1/webhooks/{id}/rotate', ok: 200, path: webhook, body: empty, foreign: 404 },
  { route: 'DELETE /v1/webhooks/{id}', ok: 200, path: webhook, foreign: 404 },
  { route: 'POST /v1/license/validate', ok: 200, body: seat, foreign: 403 },
  { route: 'POST /v1/license/activate', ok: 200, body: () => ({ hostname: 'pbx9' }) },
  { route: 'GET /v1/license/status', ok: 200 },
  { route: 'GET /v1/license/usage', ok: 200 },
  { route: 'GET /v1/license/installations', ok: 200 },
  {
    route: 'POST /v1/license/checkout',
    ok: 200,
    body: ({ customer }) => ({ fingerprint: customer.fingerprint }),
    foreign: 403,
  },
  { route: 'POST /v1/license/heartbeat', ok: 200, body: seat, foreign: 404 },
  {
    route: 'POST /v1/license/transfer',
    ok: 200,
    body: (target) => ({ ...seat(target), hostname: 'pbx8' }),
    foreign: 404,
  },
  { route: 'POST /v1/license/deactivate', ok: 200, body: seat, foreign: 404 },
]

const PBX: readonly Line[] = [
  {
    route: 'POST /api/v1/pbx/calls',
    ok: 202,
    body: ({ owner }) => ({ call_id: callId(), extension: owner.number, caller_id: '1' }),
    foreign: 404,
  },
  { route: 'GET /api/v1/pbx/calls/{id}', ok: 202, path: call, foreign: 404 },
  { route: 'POST /api/v1/pbx/calls/{id}/decline', ok: 200, path: call, body: empty, foreign: 404 },
  { route: 'GET /api/v1/pbx/calls/{id}/events', ok: 200, path: call, foreign: 404 },
  { route: 'DELETE /api/v1/pbx/calls/{id}', ok: 200, path: call, foreign: 404 },
  {
    route: 'POST /api/v1/pbx/registrations',
    ok: 200,
    body: ({ owner }) => ({ extension: owner.number, device_id: owner.deviceId }),
    foreign: named,
  },
  { route: 'GET /api/v1/pbx/extensions', ok: 200 },
  {
    route: 'POST /api/v1/pbx/extensions',
    ok: 200,
    body: ({ owner }) => [{ number: owner.number, email: 'a@example.com' }],
    foreign: named,
  },
  { route: 'GET /api/v1/pbx/extensions/{number}', ok: 200, path: number, foreign: 404 },
  { route: 'PUT /api/v1/pbx/extensions/{number}', ok: 200, path: number, body: empty, foreign: named },
  {
    route: 'PUT /api/v1/pbx/extensions/{number}/devices/{device_id}',
    ok: 200,
    path: ({ owner }) => ({ number: owner.number, device_id: owner.deviceId }),
    body: () => ({ tokens: [{ kind: 'apns_voip', token: apnsToken() }] }),
    foreign: 404,
  },
  {
    route: 'POST /api/v1/pbx/extensions/{number}/provisioning-links',
    ok: 200,
    path: number,
    body: () => ({ sip_password: 'correct-horse-battery-staple' }),
    foreign: 404,
  },
  {
    route: 'POST /api/v1/pbx/call-records',
    ok: 200,
    body: ({ owner }) => ({
      call_id: callId(),
      start_time: '2026-11-21T10:00:00Z',
      caller_id_num: owner.number,
      direction: 'outbound',
      disposition: 'answered',
    }),
    foreign: named,
  },
  { route: 'GET /api/v1/pbx/settings', ok: 200 },
  { route: 'PUT /api/v1/pbx/settings', ok: 200, body: () => ({ sip: { port: 5062 } }) },
  { route: 'GET /api/v1/pbx/voicemail-boxes', ok: 200 },
  {
    route: 'PUT /api/v1/pbx/voicemail-boxes/{number}',
    ok: 200,
    path: number,
    body: ({ owner }) => ({ extensions: [owner.number] }),
    // The extension is somebody else's.
    foreign: 404,
  },
  {
    route: 'POST /api/v1/pbx/voicemail',
    ok: 201,
    upload: ({ owner }) => ({ body: multipart(parts({ box: owner.number })), headers: MULTIPART }),
    foreign: 404,
  },
  { route: 'GET /api/v1/pbx/voicemail', ok: 200 },
  {
    route: 'PATCH /api/v1/pbx/voicemail/{id}',
    ok: 200,
    path: voicemail,
    body: () => ({ transcription: 'Hello' }),
    foreign: 404,
  },
  { route: 'DELETE /api/v1/pbx/voicemail/{id}', ok: 200, path: voicemail, foreign: 404 },
  { route: 'DELETE /api/v1/pbx/voicemail-boxes/{number}', ok: 200, path: number, foreign: 404 },
  { route: 'DELETE /api/v1/pbx/extensions/{number}', ok: 200, path: number, foreign: 404 },
]

const APP: readonly Line[] = [
  { route: 'POST /api/v1/app/realtime/ticket', ok: 200 },
  { route: 'GET /api/v1/app/me', ok: 200 },
  { route: 'PUT /api/v1/app/me', ok: 200, body: () => ({ dnd: true }) },
  { route: 'GET /api/v1/app/history', ok: 200 },
  { route: 'GET /api/v1/app/voicemail', ok: 200 },
  { route: 'PUT /api/v1/app/voicemail/{id}/read', ok: 200, path: voicemail, foreign: 404 },
  { route: 'PUT /api/v1/app/voicemail/{id}/unread', ok: 200, path: voicemail, foreign: 404 },
  { route: 'GET /api/v1/app/voicemail/{id}/audio', ok: 200, path: voicemail, foreign: 404 },
  { route: 'DELETE /api/v1/app/voicemail/{id}', ok: 200, path: voicemail, foreign: 404 },
  {
    route: 'POST /api/v1/app/push-token',
    ok: 200,
    body: () => ({ token: apnsToken(), platform: 'apns' }),
  },
  {
    route: 'POST /devices/register',
    ok: 200,
    body: ({ owner }) => ({
      device_id: owner.deviceId,
      platform: 'apns',
      tokens: { voip: apnsToken() },
      name: owner.mark,
    }),
    foreign: named,
  },
  { route: 'GET /api/v1/app/devices', ok: 200 },
  { route: 'GET /api/v1/app/sessions', ok: 200 },
  {
    route: 'DELETE /api/v1/app/devices/{id}',
    ok: 200,
    path: ({ owner }) => ({ id: owner.device }),
    foreign: 404,
  },
  {
    route: 'DELETE /api/v1/app/sessions/{id}',
    ok: 200,
    path: ({ owner }) => ({ id: owner.session }),
    foreign: 404,
  },
  { route: 'POST /api/v1/app/auth/logout', ok: 200, body: empty },
  // Everybody of a tenant sees its directory.
  { route: 'GET /api/v1/app/directory', ok: 200 },
]

const license = ({ customer }: Target) => ({ id: customer.licenseId })
const extension = ({ customer, owner }: Target) => ({ tenant_id: customer.tenantId, extension: owner.number })
const toLicense = (least: Role, name: string, body: Line['body'] = empty): OperatorLine => ({
  ...{ route: `POST /api/v1/operator/licenses/{id}/${name}`, least, ok: 200, path: license, body },
})
const because = () => ({ reason: 'x' })
const confirmed = ({ customer }: Target) => ({ confirm: keyPrefix(customer.licenseKey) })

const OPERATOR: readonly OperatorLine[] = [
  { route: 'GET /api/v1/operator/pushes', least: 'viewer', ok: 200 },
  {
    route: 'GET /api/v1/operator/pushes/{id}',
    ...{ least: 'viewer', ok: 200 },
    path: ({ customer }) => ({ id: customer.push }),
  },
  {
    route: 'GET /api/v1/operator/messages/{id}/pushes',
    ...{ least: 'viewer', ok: 200 },
    path: message,
  },
  { route: 'GET /api/v1/operator/licenses', least: 'viewer', ok: 200 },
  { route: 'GET /api/v1/operator/licenses/{id}', least: 'viewer', ok: 200, path: license },
  { route: 'GET /api/v1/operator/licenses/{id}/events', least: 'viewer', ok: 200, path: license },
  toLicense('operator', 'suspend', because),
  toLicense('operator', 'reinstate'),
  toLicense('operator', 'renew', () => ({ never: true })),
  toLicense('operator', 'export'),
  toLicense('operator', 'transfer', (target) => ({
    ...{ from: target.customer.installation, hostname: 'pbx7', ...confirmed(target) },
  })),
  {
    route: 'DELETE /api/v1/operator/licenses/{id}/installations/{instance_id}',
    ...{ least: 'operator', ok: 200 },
    path: (target) => ({ ...license(target), ...seat(target) }),
  },
  {
    route: 'POST /api/v1/operator/licenses',
    ...{ least: 'admin', ok: 201 },
    body: () => ({ tenant_name: 'Acme', pbx_key: true, tier: 'standard' }),
  },
  {
    route: 'PATCH /api/v1/operator/licenses/{id}',
    ...{ least: 'admin', ok: 200, path: license },
    body: () => ({ notes: 'x' }),
  },
  toLicense('admin', 'revoke', (target) => ({ ...because(), ...confirmed(target) })),
  toLicense('admin', 'rotate'),
  { route: 'POST /api/v1/operator/extensions/unlock', least: 'operator', ok: 200, body: extension },
  { route: 'POST /api/v1/operator/extensions/logout', least: 'operator', ok: 200, body: extension },
]

const CHAT: readonly Line[] = [
  { route: 'GET /api/v1/app/conversations', ok: 200 },
  {
    route: 'POST /api/v1/app/conversations',
    ok: 201,
    // Everybody may talk with everybody of his tenant.
    body: ({ owner }) => ({ extension: owner.peer }),
  },
  { route: 'GET /api/v1/app/conversations/{id}', ok: 200, path: conversation, foreign: 404 },
  {
    route: 'PATCH /api/v1/app/conversations/{id}',
    ok: 200,
    path: conversation,
    body: ({ owner }) => ({ title: owner.mark }),
    foreign: 404,
  },
  {
    route: 'PUT /api/v1/app/conversations/{id}/settings',
    ok: 200,
    path: conversation,
    body: () => ({ notify: 'none' }),
    foreign: 404,
  },
  {
    route: 'POST /api/v1/app/conversations/{id}/participants',
    ok: 200,
    path: conversation,
    body: ({ owner }) => ({ extensions: [owner.peer] }),
    foreign: 404,
  },
  {
    route: 'DELETE /api/v1/app/conversations/{id}/participants/{extension}',
    ok: 200,
    path: ({ owner }) => ({ id: owner.conversation, extension: owner.peer }),
    foreign: 404,
  },
  { route: 'POST /api/v1/app/conversations/{id}/leave', ok: 200, path: conversation, foreign: 404 },
  {
    route: 'PUT /api/v1/app/conversations/{id}/read',
    ok: 200,
    path: conversation,
    body: () => ({ seq: 1 }),
    foreign: 404,
  },
  { route: 'GET /api/v1/app/conversations/{id}/messages', ok: 200, path: conversation, foreign: 404 },
  {
    route: 'POST /api/v1/app/conversations/{id}/messages',
    ok: 201,
    path: conversation,
    body: said,
    foreign: 404,
  },
  {
    route: 'PATCH /api/v1/app/messages/{id}',
    ok: 200,
    path: message,
    body: () => ({ content: 'Hi' }),
    foreign: 404,
  },
  { route: 'GET /api/v1/app/messages/{id}/receipts', ok: 200, path: message, foreign: 404 },
  { route: 'DELETE /api/v1/app/messages/{id}', ok: 200, path: message, foreign: 404 },
  { route: 'GET /api/v1/app/push-settings', ok: 200 },
  { route: 'PUT /api/v1/app/push-settings', ok: 200, body: () => ({ preview: 'none' }) },
  { route: 'GET /api/v1/app/sync', ok: 200 },
  { route: 'GET /me', ok: 200 },
  { route: 'GET /conversations', ok: 200 },
  { route: 'POST /conversations', ok: 201, body: ({ owner }) => ({ username: owner.peer }) },
  {
    route: 'GET /messages',
    ok: 200,
    query: ({ owner }) => `conversationId=${owner.conversation}`,
    foreign: 403,
  },
  {
    route: 'POST /messages',
    ok: 201,
    body: ({ owner }) => ({ conversationId: owner.conversation, clientId: newId(), content: 'Hello' }),
    foreign: 403,
  },
  { route: 'GET /sync/messages', ok: 200 },
  {
    route: 'DELETE /api/v1/app/devices/{id}/tokens/{token_id}',
    ok: 200,
    path: ({ owner }) => ({ id: owner.device, token_id: owner.token }),
    foreign: 404,
  },
  { route: 'DELETE /devices/{id}', ok: 200, path: ({ owner }) => ({ id: owner.device }), foreign: 404 },
]

/** Routes whose callers may be anybody, and what they are for. Their own tests show that they give nothing away. */
export const OPEN: Readonly<Record<string, string>> = {
  'POST /api/v1/app/auth': 'a login',
  'POST /api/v1/app/auth/refresh': 'its token is its credential',
  'POST /auth/login': 'a login',
  'POST /auth/register': 'refused to everybody',
  'POST /api/v1/app/provision': 'its token is its credential',
  'GET /v1/license/public-key': 'public by its nature',
  'GET /healthz': 'for load balancers',
  'GET /readyz': 'for load balancers',
  'GET /api/v1/health': 'what FlowPBX tells anybody',
  'GET /openapi.json': 'documentation',
}

export const MATRIX = {
  'license-key': LICENSED,
  'pbx-key': PBX,
  app: [...APP, ...CHAT],
  operator: OPERATOR,
} as const
