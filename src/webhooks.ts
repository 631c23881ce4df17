import type { Knex } from 'knex'
import type { Config } from './config/config.ts'
import type { Clock } from './lib/clock.ts'
import type { Keyring } from './lib/keyring.ts'
import type { Events } from './observability/events.ts'
import { createDeliverWebhook } from './webhooks/deliver-webhook.ts'
import { createJudgeAddress } from './webhooks/reachable-addresses.ts'
import { createResolveHost } from './webhooks/resolve-host.ts'
import { createWebhookDeliveryStore } from './webhooks/webhook-delivery-store.ts'
import { createWebhookRequest } from './webhooks/webhook-request.ts'
import { createWebhookStore } from './webhooks/webhook-store.ts'
import { createWebhooks } from './webhooks/webhooks.ts'

/** How owners are told what happens. */
export function createWebhookParts(base: {
  db: Knex
  config: Config
  keyring: Keyring
  clock: Clock
  events: Events
}) {
  const { webhookNetworks } = base.config
  const judge = createJudgeAddress(webhookNetworks)
  const webhookStore = createWebhookStore(base.db)
  const webhookDeliveries = createWebhookDeliveryStore(base.db)
  const request = createWebhookRequest({ judge, resolve: createResolveHost() })
  const hasPrivateNetworks = webhookNetworks.length > 0
  return {
    webhookStore,
    webhookDeliveries,
    webhooks: createWebhooks({ ...base, webhookStore, webhookDeliveries, judge, hasPrivateNetworks }),
    deliverWebhook: createDeliverWebhook({ ...base, deliveries: webhookDeliveries, request }),
  }
}
