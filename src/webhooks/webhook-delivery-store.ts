import type { Knex } from 'knex'
import {
  DELIVERY_COLUMNS,
  type DeliveryRecord,
  type DeliveryRow,
  fromDeliveryRow,
} from './webhook-delivery-row.ts'

/** What happened, in the bytes in which it is told. */
export interface StoredEvent {
  id: string
  type: string
  body: string
  /** Milliseconds since the epoch. */
  createdAt: number
}

/** A delivery whose time has come, with all that an attempt needs. */
export interface DueDelivery {
  webhookId: string
  tenantId: string
  url: string
  secretSealed: string
  /** Only while it still signs. */
  previousSecretSealed?: string
  eventId: string
  type: string
  body: string
  /** With the one that is now to be made. */
  attempts: number
}

export interface Claim {
  now: number
  /** When another worker may take over what this one has not settled. */
  leaseUntil: number
  limit: number
  perWebhook: number
  /** What the caller has in hand already, by webhook. */
  inFlight: ReadonlyMap<string, number>
}

/** One row per event and webhook. It is due, in hand, delivered or given up; every change of that is compare-and-set. */
export function createWebhookDeliveryStore(db: Knex) {
  return {
    /** For every webhook of the tenant, or for the one with `webhookId`. */
    async insert(tenantId: string, event: StoredEvent, webhookId?: string): Promise<number> {
      const at = new Date(event.createdAt)
      const { rowCount } = await db.raw<{ rowCount: number }>(
        `INSERT INTO webhook_deliveries (webhook_id, event_id, type, body, created_at, next_attempt_at)
         SELECT id, ?, ?, ?, ?, ? FROM webhooks WHERE tenant_id = ? AND id = coalesce(?, id)`,
        [event.id, event.type, event.body, at, at, tenantId, webhookId ?? null],
      )
      return rowCount
    },

    /**
     * Takes deliveries that are due, on any number of nodes each of them once. A few per webhook, and the webhooks by chance:
     * one with a long queue and a slow receiver must not stand before all others. `waiting` goes from webhook to webhook in the
     * index (https://wiki.postgresql.org/wiki/Loose_indexscan): most of them have nothing to be told.
     */
    async claim({ now, leaseUntil, limit, perWebhook, inFlight }: Claim): Promise<DueDelivery[]> {
      const busy = [...inFlight].map(([id, count]) => ({ id, count }))
      const { rows } = await db.raw<{ rows: DueRow[] }>(
        `WITH RECURSIVE waiting AS (
           (SELECT webhook_id FROM webhook_deliveries WHERE next_attempt_at IS NOT NULL ORDER BY webhook_id LIMIT 1)
           UNION ALL
           SELECT (
             SELECT webhook_id FROM webhook_deliveries
             WHERE next_attempt_at IS NOT NULL AND webhook_id > waiting.webhook_id ORDER BY webhook_id LIMIT 1
           ) FROM waiting WHERE webhook_id IS NOT NULL
         ), due AS MATERIALIZED (
           SELECT next.webhook_id, next.event_id
           FROM waiting
           LEFT JOIN json_to_recordset(?::json) AS busy (id uuid, count int) ON busy.id = waiting.webhook_id
           CROSS JOIN LATERAL (
             SELECT webhook_id, event_id FROM webhook_deliveries
             WHERE webhook_id = waiting.webhook_id AND next_attempt_at <= ?
             ORDER BY next_attempt_at
             LIMIT greatest(?::int - coalesce(busy.count, 0), 0)
             FOR UPDATE SKIP LOCKED
           ) next
           ORDER BY random() LIMIT ?
         )
         UPDATE webhook_deliveries AS taken
         SET attempts = taken.attempts + 1, next_attempt_at = ?
         FROM due JOIN webhooks ON webhooks.id = due.webhook_id
         WHERE taken.webhook_id = due.webhook_id AND taken.event_id = due.event_id
         RETURNING taken.webhook_id, taken.event_id, taken.type, taken.body, taken.attempts, webhooks.tenant_id,
           webhooks.url, webhooks.secret_sealed,
           CASE WHEN webhooks.previous_secret_until > ? THEN webhooks.previous_secret_sealed END AS previous_secret_sealed`,
        [JSON.stringify(busy), new Date(now), perWebhook, limit, new Date(leaseUntil), new Date(now)],
      )
      return rows.map(fromDueRow)
    },

    /** Counts also when the lease had run out: the receiver has it. */
    async delivered({ webhookId, eventId }: DueDelivery, at: number, status: number): Promise<boolean> {
      const changed = await db('webhook_deliveries')
        .where({ webhook_id: webhookId, event_id: eventId })
        .whereNull('delivered_at')
        .update({
          delivered_at: new Date(at),
          next_attempt_at: null,
          given_up_at: null,
          last_status: status,
          last_error: null,
        })
      return changed > 0
    },

    /** Counts only if nobody has taken it over. Without `nextAttemptAt` it is given up. */
    async failed(
      { webhookId, eventId, attempts }: DueDelivery,
      why: { status?: number; error?: string },
      when: { at: number; nextAttemptAt: number | undefined },
    ): Promise<boolean> {
      const changed = await db('webhook_deliveries')
        .where({ webhook_id: webhookId, event_id: eventId, attempts })
        .whereNotNull('next_attempt_at')
        .update({
          next_attempt_at: when.nextAttemptAt === undefined ? null : new Date(when.nextAttemptAt),
          given_up_at: when.nextAttemptAt === undefined ? new Date(when.at) : null,
          last_status: why.status ?? null,
          last_error: why.error ?? null,
        })
      return changed > 0
    },

    /** Makes it due now. One that had ended begins again with all its attempts. */
    async redeliver(webhookId: string, eventId: string, now: number): Promise<boolean> {
      const changed = await db('webhook_deliveries')
        .where({ webhook_id: webhookId, event_id: eventId })
        .update({
          attempts: db.raw('CASE WHEN next_attempt_at IS NULL THEN 0 ELSE attempts END'),
          next_attempt_at: new Date(now),
          delivered_at: null,
          given_up_at: null,
        })
      return changed > 0
    },

    /** Newest first, those before the event `before`. */
    async list(webhookId: string, limit: number, before?: string): Promise<DeliveryRecord[]> {
      const rows = await db<DeliveryRow & { webhook_id: string }>('webhook_deliveries')
        .select(...DELIVERY_COLUMNS)
        .where({ webhook_id: webhookId })
        .modify((query) => {
          if (before !== undefined) query.where('event_id', '<', before)
        })
        .orderBy('event_id', 'desc')
        .limit(limit)
      return rows.map(fromDeliveryRow)
    },

    /** Removes up to `limit` that ended this way before `before`. Returns how many. */
    async prune(ended: 'delivered_at' | 'given_up_at', before: number, limit: number): Promise<number> {
      const old = db('webhook_deliveries')
        .select('webhook_id', 'event_id')
        .where(ended, '<', new Date(before))
        .limit(limit)
        .forUpdate()
        .skipLocked()
      return db('webhook_deliveries').whereIn(['webhook_id', 'event_id'], old).del()
    },
  }
}
export type WebhookDeliveryStore = ReturnType<typeof createWebhookDeliveryStore>

interface DueRow {
  webhook_id: string
  event_id: string
  type: string
  body: string
  attempts: number
  tenant_id: string
  url: string
  secret_sealed: string
  previous_secret_sealed: string | null
}

const fromDueRow = (row: DueRow): DueDelivery => ({
  webhookId: row.webhook_id,
  tenantId: row.tenant_id,
  url: row.url,
  secretSealed: row.secret_sealed,
  ...(row.previous_secret_sealed !== null && { previousSecretSealed: row.previous_secret_sealed }),
  eventId: row.event_id,
  type: row.type,
  body: row.body,
  attempts: row.attempts,
})
