import type { Knex } from 'knex'
import { type DeliveryRecord, type DeliveryRow, fromDeliveryRow } from './webhook-delivery-row.ts'

/** As its owner may see it: without the secrets. Times are milliseconds since the epoch. */
export interface WebhookRecord {
  id: string
  url: string
  createdAt: number
  /** Events that are still to be delivered. */
  pending: number
  /** The newest event of which a delivery was tried. */
  last?: DeliveryRecord
}

export interface NewWebhook {
  id: string
  tenantId: string
  url: string
  secretSealed: string
  createdAt: number
}

export function createWebhookStore(db: Knex) {
  return {
    /** `exists`: the tenant has one with this URL. `full`: it has as many as it may have. */
    insert: (webhook: NewWebhook, limit: number): Promise<'inserted' | 'exists' | 'full'> =>
      db.transaction(async (trx) => {
        // Whoever adds the next one waits, or two at a time would both see room for one.
        await trx('tenants').select('id').where({ id: webhook.tenantId }).forNoKeyUpdate()
        const urls = await trx('webhooks').where({ tenant_id: webhook.tenantId }).pluck('url')
        if (urls.includes(webhook.url)) return 'exists'
        if (urls.length >= limit) return 'full'
        await trx('webhooks').insert({
          id: webhook.id,
          tenant_id: webhook.tenantId,
          url: webhook.url,
          secret_sealed: webhook.secretSealed,
          created_at: new Date(webhook.createdAt),
        })
        return 'inserted'
      }),

    /** Oldest first. */
    async list(tenantId: string): Promise<WebhookRecord[]> {
      const { rows } = await db.raw<{ rows: ListedRow[] }>(
        `SELECT webhooks.id, webhooks.url, webhooks.created_at AS webhook_created_at, waiting.pending, last.*
         FROM webhooks
         CROSS JOIN LATERAL (
           SELECT count(*) AS pending FROM webhook_deliveries
           WHERE webhook_id = webhooks.id AND next_attempt_at IS NOT NULL
         ) waiting
         LEFT JOIN LATERAL (
           SELECT event_id, type, attempts, created_at, next_attempt_at, delivered_at, given_up_at, last_status, last_error
           FROM webhook_deliveries
           WHERE webhook_id = webhooks.id AND (last_status IS NOT NULL OR last_error IS NOT NULL)
           ORDER BY event_id DESC LIMIT 1
         ) last ON true
         WHERE webhooks.tenant_id = ?
         ORDER BY webhooks.created_at, webhooks.id`,
        [tenantId],
      )
      return rows.map(fromListedRow)
    },

    async has(tenantId: string, id: string): Promise<boolean> {
      return (await db('webhooks').first('id').where({ tenant_id: tenantId, id })) !== undefined
    },

    /** With all that it still had to deliver. False: the tenant has none with this id. */
    async remove(tenantId: string, id: string): Promise<boolean> {
      return (await db('webhooks').where({ tenant_id: tenantId, id }).del()) > 0
    },

    /** The secret until now becomes the previous one, good until `previousUntil`. */
    async rotate(
      { tenantId, id }: { tenantId: string; id: string },
      secretSealed: string,
      previousUntil: number,
    ): Promise<boolean> {
      const changed = await db('webhooks')
        .where({ tenant_id: tenantId, id })
        .update({
          previous_secret_sealed: db.ref('secret_sealed'),
          previous_secret_until: new Date(previousUntil),
          secret_sealed: secretSealed,
        })
      return changed > 0
    },

    /** What signs nothing any more need not be kept. */
    async forgetPreviousSecrets(now: number): Promise<void> {
      await db('webhooks')
        .where('previous_secret_until', '<=', new Date(now))
        .update({ previous_secret_sealed: null, previous_secret_until: null })
    },
  }
}
export type WebhookStore = ReturnType<typeof createWebhookStore>

type ListedRow = { id: string; url: string; webhook_created_at: Date; pending: number } & (
  | DeliveryRow
  | { event_id: null }
)

const fromListedRow = (row: ListedRow): WebhookRecord => ({
  id: row.id,
  url: row.url,
  createdAt: row.webhook_created_at.getTime(),
  pending: row.pending,
  ...(row.event_id !== null && { last: fromDeliveryRow(row) }),
})
