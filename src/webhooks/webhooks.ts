import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { HOUR } from '../lib/units.ts'
import { secretContext } from './deliver-webhook.ts'
import type { JudgeAddress } from './reachable-addresses.ts'
import { newSecret } from './signature.ts'
import type { DeliveryRecord } from './webhook-delivery-row.ts'
import type { StoredEvent, WebhookDeliveryStore } from './webhook-delivery-store.ts'
import type { WebhookRecord, WebhookStore } from './webhook-store.ts'
import { parseWebhookUrl } from './webhook-url.ts'

/** Per tenant: every event goes to each of them. */
export const MAX_WEBHOOKS = 5
/** For which a secret goes on signing after its successor is there. */
const ROTATION_MS = 24 * HOUR

/** What can be told. */
export type WebhookEvent = { type: string; data: Record<string, unknown> }

export interface Webhooks {
  /**
   * Will tell every webhook of the tenant; the event is stored when this resolves. Without webhooks nothing happens. Rejects when
   * the database is away.
   */
  announce(tenantId: string, event: WebhookEvent): Promise<void>
  /** The secret is in clear here and nowhere else. */
  create(tenantId: string, url: string): Promise<{ id: string; url: string; secret: string }>
  list(tenantId: string): Promise<WebhookRecord[]>
  remove(tenantId: string, id: string): Promise<void>
  /** A new secret; the one until now signs as well until `previousUntil` (ms since the epoch). */
  rotate(tenantId: string, id: string): Promise<{ secret: string; previousUntil: number }>
  /** Sends `webhook.test` to this one; returns the event's id. */
  test(tenantId: string, id: string): Promise<string>
  /** Newest first, those before the event `before`. */
  deliveries(
    tenantId: string,
    id: string,
    page: { limit: number; before?: string },
  ): Promise<DeliveryRecord[]>
  /** Makes a delivery due now, in whatever state it is. */
  redeliver(tenantId: string, id: string, eventId: string): Promise<void>
}

export interface WebhooksDeps {
  webhookStore: WebhookStore
  webhookDeliveries: WebhookDeliveryStore
  judge: JudgeAddress
  hasPrivateNetworks: boolean
  keyring: Keyring
  clock: Clock
}

/** With the store of a transaction, the owner is told if and only if that is committed. */
export const createAnnounce =
  (deliveries: WebhookDeliveryStore, clock: Clock): Webhooks['announce'] =>
  async (tenantId, event) => {
    await deliveries.insert(tenantId, toStored(event, clock))
  }

/** Where owners want to be told what happened. What is another tenant's is unknown. */
export function createWebhooks(deps: WebhooksDeps): Webhooks {
  const { webhookStore, webhookDeliveries, keyring, clock } = deps
  const mustHave = async (tenantId: string, id: string) => {
    if (!(await webhookStore.has(tenantId, id))) throw new Problem('unknown_webhook')
  }
  return {
    announce: createAnnounce(webhookDeliveries, clock),

    async create(tenantId, text) {
      const parsed = parseWebhookUrl(text, deps)
      if (typeof parsed === 'string')
        throw new Problem('invalid_webhook_url', { sentence: parsed, field: 'url' })
      const [id, url, secret, createdAt] = [newId(), parsed.href, newSecret(), clock.now()]
      const secretSealed = keyring.seal(secret, secretContext(id))
      const done = await webhookStore.insert({ id, tenantId, url, secretSealed, createdAt }, MAX_WEBHOOKS)
      if (done === 'exists') throw new Problem('webhook_exists', { field: 'url' })
      if (done === 'full') throw new Problem('too_many_webhooks')
      return { id, url, secret }
    },

    list: (tenantId) => webhookStore.list(tenantId),

    async remove(tenantId, id) {
      if (!(await webhookStore.remove(tenantId, id))) throw new Problem('unknown_webhook')
    },

    async rotate(tenantId, id) {
      const secret = newSecret()
      const previousUntil = clock.now() + ROTATION_MS
      const sealed = keyring.seal(secret, secretContext(id))
      if (!(await webhookStore.rotate({ tenantId, id }, sealed, previousUntil)))
        throw new Problem('unknown_webhook')
      return { secret, previousUntil }
    },

    async test(tenantId, id) {
      const event = toStored({ type: 'webhook.test', data: { webhook_id: id } }, clock)
      if ((await webhookDeliveries.insert(tenantId, event, id)) === 0) throw new Problem('unknown_webhook')
      return event.id
    },

    async deliveries(tenantId, id, { limit, before }) {
      await mustHave(tenantId, id)
      return webhookDeliveries.list(id, limit, before)
    },

    async redeliver(tenantId, id, eventId) {
      await mustHave(tenantId, id)
      if (!(await webhookDeliveries.redeliver(id, eventId, clock.now())))
        throw new Problem('unknown_delivery')
    },
  }
}

/** The body is made once, so that every attempt to every webhook says the same. */
function toStored({ type, data }: WebhookEvent, clock: Clock): StoredEvent {
  const [id, createdAt] = [newId(), clock.now()]
  const body = JSON.stringify({ id, type, created_at: new Date(createdAt).toISOString(), data })
  return { id, type, body, createdAt }
}
