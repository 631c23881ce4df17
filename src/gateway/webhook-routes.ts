import { z } from 'zod'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { RateLimit } from '../limits/rate-limits.ts'
import type { DeliveryRecord } from '../webhooks/webhook-delivery-row.ts'
import type { WebhookRecord } from '../webhooks/webhook-store.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import {
  CreatedWebhook,
  type Delivery,
  DeliveryPage,
  DeliveryParams,
  DeliveryQuery,
  NewWebhook,
  RotatedSecret,
  WebhookList,
  WebhookParams,
} from './webhook-schemas.ts'

export interface WebhookRouteDeps {
  licenseAuth: AuthScheme<{ tenantId: string }>
  webhooks: Webhooks
  webhookActions: RateLimit
}

const tag = 'Webhooks'
const refusals = ['license_key_required', 'license_invalid', 'not_entitled', 'store_unavailable'] as const
const problems = ['invalid_request', ...refusals, 'unknown_webhook'] as const

/** How an owner says where he wants to be told, and sees whether he was. */
export const webhookRoutes = (deps: WebhookRouteDeps): Route[] => [
  createWebhook(deps),
  listWebhooks(deps),
  deleteWebhook(deps),
  rotateSecret(deps),
  testWebhook(deps),
  listDeliveries(deps),
  redeliver(deps),
]

const createWebhook = ({ licenseAuth, webhooks }: WebhookRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/webhooks',
    tag,
    summary: 'Be told what happens, such as the death of a push token',
    description:
      'At most 5 per tenant; every event goes to each of them. docs/webhooks.md says how to verify it.',
    auth: licenseAuth,
    body: NewWebhook,
    replies: [{ status: 201, description: 'The webhook and its secret.', schema: CreatedWebhook }],
    problems: [...refusals, 'invalid_webhook_url', 'webhook_exists', 'too_many_webhooks'],
    async handler({ body, caller }) {
      return { status: 201, data: await webhooks.create(caller.tenantId, body.url) }
    },
  })

const listWebhooks = ({ licenseAuth, webhooks }: WebhookRouteDeps): Route =>
  route({
    method: 'get',
    path: '/v1/webhooks',
    tag,
    summary: 'The webhooks and how they are doing',
    auth: licenseAuth,
    replies: [{ status: 200, description: 'Oldest first, without their secrets.', schema: WebhookList }],
    problems: refusals,
    async handler({ caller }) {
      return { data: { webhooks: (await webhooks.list(caller.tenantId)).map(describeWebhook) } }
    },
  })

const deleteWebhook = ({ licenseAuth, webhooks }: WebhookRouteDeps): Route =>
  route({
    method: 'delete',
    path: '/v1/webhooks/{id}',
    tag,
    summary: 'Remove a webhook with all that it was still to be told',
    auth: licenseAuth,
    params: WebhookParams,
    replies: [{ status: 200, description: 'Removed.', schema: z.object({ status: z.literal('ok') }) }],
    problems,
    async handler({ params, caller }) {
      await webhooks.remove(caller.tenantId, params.id)
      return { data: { status: 'ok' } }
    },
  })

const rotateSecret = ({ licenseAuth, webhooks }: WebhookRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/webhooks/{id}/rotate',
    tag,
    summary: 'Replace the secret of a webhook',
    description:
      'For 24 hours what is sent has two signatures, with the new secret and with the one before it.',
    auth: licenseAuth,
    params: WebhookParams,
    replies: [{ status: 200, description: 'The new secret.', schema: RotatedSecret }],
    problems,
    async handler({ params, caller }) {
      const { secret, previousUntil } = await webhooks.rotate(caller.tenantId, params.id)
      return { data: { id: params.id, secret, previous_secret_valid_until: iso(previousUntil) } }
    },
  })

const testWebhook = ({ licenseAuth, webhooks, webhookActions }: WebhookRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/webhooks/{id}/test',
    tag,
    summary: 'Send a `webhook.test` event',
    auth: licenseAuth,
    params: WebhookParams,
    replies: [{ status: 202, description: 'On its way.', schema: z.object({ event_id: z.uuid() }) }],
    problems: [...problems, 'rate_limited'],
    async handler({ params, caller }) {
      await webhookActions.take(caller.tenantId)
      return { status: 202, data: { event_id: await webhooks.test(caller.tenantId, params.id) } }
    },
  })

const listDeliveries = ({ licenseAuth, webhooks }: WebhookRouteDeps): Route =>
  route({
    method: 'get',
    path: '/v1/webhooks/{id}/deliveries',
    tag,
    summary: 'What a webhook was told, and what it is still to be told',
    auth: licenseAuth,
    params: WebhookParams,
    query: DeliveryQuery,
    replies: [{ status: 200, description: 'A page of deliveries.', schema: DeliveryPage }],
    problems,
    async handler({ params, query: { limit, cursor }, caller }) {
      const page = { limit: limit + 1, ...(cursor !== undefined && { before: cursor }) }
      const found = await webhooks.deliveries(caller.tenantId, params.id, page)
      const deliveries = found.slice(0, limit)
      const last = found.length > limit ? deliveries.at(-1) : undefined
      return {
        data: { deliveries: deliveries.map(describeDelivery), ...(last && { next_cursor: last.eventId }) },
      }
    },
  })

const redeliver = ({ licenseAuth, webhooks, webhookActions }: WebhookRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/webhooks/{id}/deliveries/{event_id}/redeliver',
    tag,
    summary: 'Deliver an event now, also one that was delivered or given up',
    auth: licenseAuth,
    params: DeliveryParams,
    replies: [{ status: 202, description: 'On its way.', schema: z.object({ event_id: z.uuid() }) }],
    problems: [...problems, 'unknown_delivery', 'rate_limited'],
    async handler({ params, caller }) {
      await webhookActions.take(caller.tenantId)
      await webhooks.redeliver(caller.tenantId, params.id, params.event_id)
      return { status: 202, data: { event_id: params.event_id } }
    },
  })

const iso = (time: number) => new Date(time).toISOString()

const describeWebhook = ({ id, url, createdAt, pending, last }: WebhookRecord) => ({
  id,
  url,
  created_at: iso(createdAt),
  pending,
  ...(last && { last_delivery: describeDelivery(last) }),
})

const describeDelivery = (delivery: DeliveryRecord): z.input<typeof Delivery> => ({
  event_id: delivery.eventId,
  type: delivery.type,
  state: delivery.state,
  attempts: delivery.attempts,
  created_at: iso(delivery.createdAt),
  ...(delivery.nextAttemptAt !== undefined && { next_attempt_at: iso(delivery.nextAttemptAt) }),
  ...(delivery.deliveredAt !== undefined && { delivered_at: iso(delivery.deliveredAt) }),
  ...(delivery.givenUpAt !== undefined && { given_up_at: iso(delivery.givenUpAt) }),
  ...(delivery.lastStatus !== undefined && { last_status: delivery.lastStatus }),
  ...(delivery.lastError !== undefined && { last_error: delivery.lastError }),
})
