import type { Knex } from 'knex'
import { nullableArray } from '../db/nullable-array.ts'
import { numberArray } from '../db/number-array.ts'
import type { Recipient } from './user-event-store.ts'

/** When somebody is looked at: at once, after the grace of attentive phones, or because nobody has read it. */
export const STAGE = { first: 0, grace: 1, escalation: 2 } as const
export type Stage = (typeof STAGE)[keyof typeof STAGE]

/** A message of which people have to be told, from a moment on. */
export interface OutboxEntry {
  messageId: string
  stage: Stage
  tenantId: string
  conversationId: string
  dueAt: Date
  recipients: readonly Recipient[]
}

export interface TakenEntry extends OutboxEntry {
  id: number
}

/** A phone of which nobody needs to be told, and why. */
export interface Withheld {
  messageId: string
  extensionId: number
  /** Absent: all phones of the extension. */
  deviceId?: string
  reason: string
}

/** The same as it was written down. */
export interface WithheldRecord extends Withheld {
  at: Date
  /** Its number; absent when it is gone. */
  extension?: string
}

/** Whose number on the icon is another one now. */
export interface DueBadge {
  extensionId: number
  tenantId: string
  /** Conversations that have nothing unread any more. */
  conversationIds: readonly string[]
  /** The phone that knows it by itself. */
  exceptDeviceId?: string | undefined
}

/** Longer than it takes to see to what was taken; a worker that died with it costs its messages so much. */
const TAKEN_MS = 5_000
/** Whoever goes through many conversations changes the number at every one; one push says it all. */
const GATHER_MS = 1_000

/** What was committed together with a cause, and has to follow from it. */
export function createOutboxStore(db: Knex) {
  return {
    async put(entries: readonly OutboxEntry[]): Promise<void> {
      const wanted = entries.filter(({ recipients }) => recipients.length > 0)
      if (wanted.length === 0) return
      await db('chat_outbox').insert(
        wanted.map(({ messageId, stage, tenantId, conversationId, dueAt, recipients }) => ({
          ...{
            message_id: messageId,
            stage,
            tenant_id: tenantId,
            conversation_id: conversationId,
            due_at: dueAt,
          },
          extension_ids: numberArray(recipients.map(({ extensionId }) => extensionId)),
          event_seqs: numberArray(recipients.map(({ eventSeq }) => eventSeq)),
        })),
      )
    },

    /**
     * Takes what is due for a while: who asks meanwhile gets other entries, and who asks later gets these again, unless they are done by
     * then.
     */
    async take(limit: number): Promise<TakenEntry[]> {
      const { rows } = await db.raw<{ rows: OutboxRow[] }>(
        `WITH due AS (
           SELECT id, due_at FROM chat_outbox WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED
         )
         UPDATE chat_outbox o SET due_at = clock_timestamp() + ?::float8 * interval '1 millisecond' FROM due WHERE o.id = due.id
         RETURNING o.id, o.message_id, o.stage, o.tenant_id, o.conversation_id, due.due_at, o.extension_ids, o.event_seqs`,
        [limit, TAKEN_MS],
      )
      return rows.map(fromRow).sort((a, b) => a.dueAt.getTime() - b.dueAt.getTime())
    },

    /** Within the transaction that does what follows. Only these are the taker's to do; the others somebody else has done. */
    async done(ids: readonly number[]): Promise<Set<number>> {
      const rows = await db('chat_outbox').whereIn('id', ids).delete().returning('id')
      return new Set(rows.map(({ id }) => Number(id)))
    },

    /** Which of the messages somebody has still to be told of at once. */
    async owed(messageIds: readonly string[]): Promise<Set<string>> {
      const rows = await db('chat_outbox')
        .distinct('message_id')
        .whereIn('message_id', messageIds)
        .where('stage', '<', STAGE.escalation)
      return new Set(rows.map(({ message_id }) => message_id as string))
    },

    /** What has changed since an earlier entry that nobody has taken yet goes out together with it. */
    async putBadges(badges: readonly DueBadge[]): Promise<void> {
      if (badges.length === 0) return
      const sorted = [...badges].sort((a, b) => a.extensionId - b.extensionId)
      await db.raw(
        `INSERT INTO due_badges AS known (extension_id, tenant_id, due_at, conversation_ids, except_device_id)
         SELECT b.extension_id, b.tenant_id, clock_timestamp() + ?::float8 * interval '1 millisecond',
           CASE WHEN b.conversation_id IS NULL THEN '{}' ELSE ARRAY[b.conversation_id] END, b.device_id
         FROM unnest(?::bigint[], ?::uuid[], ?::uuid[], ?::uuid[]) AS b (extension_id, tenant_id, conversation_id, device_id)
         ON CONFLICT (extension_id) DO UPDATE SET
           conversation_ids = known.conversation_ids || excluded.conversation_ids,
           except_device_id = CASE WHEN known.except_device_id = excluded.except_device_id THEN known.except_device_id END`,
        [
          GATHER_MS,
          sorted.map(({ extensionId }) => extensionId),
          sorted.map(({ tenantId }) => tenantId),
          nullableArray(sorted.map(({ conversationIds }) => conversationIds[0])),
          nullableArray(sorted.map(({ exceptDeviceId }) => exceptDeviceId)),
        ],
      )
    },

    /** Whose badges are due. */
    async badgeTenants(): Promise<string[]> {
      const rows = await db('due_badges').distinct('tenant_id').whereRaw('due_at <= clock_timestamp()')
      return rows.map(({ tenant_id }) => tenant_id as string)
    },

    /** Within the transaction that sends them: what is added meanwhile waits for it, and becomes an entry of its own. */
    async takeBadges(limit: number): Promise<DueBadge[]> {
      const { rows } = await db.raw<{ rows: BadgeRow[] }>(
        `DELETE FROM due_badges b USING (
           SELECT extension_id FROM due_badges WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED
         ) due
         WHERE b.extension_id = due.extension_id
         RETURNING b.extension_id, b.tenant_id, b.conversation_ids, b.except_device_id`,
        [limit],
      )
      return rows.map((row) => ({
        extensionId: row.extension_id,
        tenantId: row.tenant_id,
        conversationIds: [...new Set(row.conversation_ids)],
        ...(row.except_device_id !== null && { exceptDeviceId: row.except_device_id }),
      }))
    },

    async withhold(withheld: readonly Withheld[], at: Date): Promise<void> {
      if (withheld.length === 0) return
      await db.raw(
        `INSERT INTO withheld_pushes (message_id, extension_id, device_id, reason, at)
         SELECT *, ?::timestamptz FROM unnest(?::uuid[], ?::bigint[], ?::uuid[], ?::text[])`,
        [
          at,
          withheld.map(({ messageId }) => messageId),
          withheld.map(({ extensionId }) => extensionId),
          nullableArray(withheld.map(({ deviceId }) => deviceId)),
          withheld.map(({ reason }) => reason),
        ],
      )
    },

    /** Of which phones nobody was told, for whoever asks why. */
    async withheldOf(messageId: string): Promise<WithheldRecord[]> {
      const rows = await db('withheld_pushes as w')
        .leftJoin('extensions as e', 'e.id', 'w.extension_id')
        .select('w.message_id', 'w.extension_id', 'w.device_id', 'w.reason', 'w.at', 'e.number')
        .where({ 'w.message_id': messageId })
        .orderBy('w.id')
      return rows.map((row) => ({
        ...{ messageId: row.message_id, extensionId: row.extension_id, reason: row.reason, at: row.at },
        ...(row.device_id !== null && { deviceId: row.device_id }),
        ...(row.number !== null && { extension: row.number }),
      }))
    },

    async prune(before: Date, limit: number): Promise<number> {
      const old = db('withheld_pushes').select('id').where('at', '<', before).limit(limit)
      return db('withheld_pushes').whereIn('id', old).delete()
    },

    /** When the next entry of any kind is due, in milliseconds from now; undefined when there is none. */
    async nextIn(): Promise<number | undefined> {
      const { rows } = await db.raw<{ rows: { ms: number | null }[] }>(
        `SELECT (extract(epoch FROM least((SELECT min(due_at) FROM chat_outbox), (SELECT min(due_at) FROM due_badges))
           - clock_timestamp()) * 1000)::float8 AS ms`,
      )
      return rows[0]?.ms ?? undefined
    },
  }
}
export type OutboxStore = ReturnType<typeof createOutboxStore>

interface OutboxRow {
  id: number
  message_id: string
  stage: Stage
  tenant_id: string
  conversation_id: string
  due_at: Date
  extension_ids: (string | number)[]
  event_seqs: (string | number)[]
}
interface BadgeRow {
  extension_id: number
  tenant_id: string
  conversation_ids: string[]
  except_device_id: string | null
}

const fromRow = (row: OutboxRow): TakenEntry => ({
  id: row.id,
  messageId: row.message_id,
  stage: row.stage,
  tenantId: row.tenant_id,
  conversationId: row.conversation_id,
  dueAt: row.due_at,
  recipients: row.extension_ids.map((id, index) => ({
    extensionId: Number(id),
    eventSeq: Number(row.event_seqs[index]),
  })),
})
