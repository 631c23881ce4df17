import type { Knex } from 'knex'
import type { ChatMessage, ConversationKind, NotifyMode, ParticipantRole, Person } from './chat.ts'
import type { Owned } from './conversation-store.ts'
import { type MessageRow, PREFIXED_MESSAGE, toMessage } from './message-row.ts'

/** A conversation as one of its participants sees it. */
export interface ConversationView {
  id: string
  kind: ConversationKind
  title: string
  createdAt: Date
  /** Of the last message, or of its beginning: by this the list is ordered. */
  activeAt: Date
  lastSeq: number
  lastMessage?: ChatMessage
  unread: number
  /** The asker's own. */
  role: ParticipantRole
  notify: NotifyMode
  mutedUntil?: Date
  lastReadSeq: number
  participants: ParticipantView[]
}
export interface ParticipantView {
  extensionId: number
  number: string
  name: string
  role: ParticipantRole
  lastReadSeq: number
  lastDeliveredSeq: number
}

/** Where a page ends: the newest conversations come first. */
export interface ConversationPlace {
  /** Microseconds since the epoch. */
  activeAt: number
  id: string
}

/**
 * What of a conversation a participant `p` has not read: all that came after, less his own and what was deleted. Counted from a few
 * numbers, so that it costs the same however much it is.
 */
export const UNREAD = `greatest(0, c.last_seq - greatest(p.last_read_seq, p.joined_seq) - p.own_since_read - (
  SELECT count(*) FROM messages d WHERE d.conversation_id = c.id AND d.deleted_at IS NOT NULL
    AND d.seq > greatest(p.last_read_seq, p.joined_seq) AND d.sender_id <> p.extension_id))`

const ACTIVE_AT = 'coalesce(c.last_message_at, c.created_at)'

export function createConversationListStore(db: Knex) {
  return {
    /** The last active first. `id` narrows it to one. */
    async list(
      { tenantId, extensionId }: Owned,
      { limit, after, id }: { limit: number; after?: ConversationPlace | undefined; id?: string },
    ): Promise<{ conversations: ConversationView[]; next?: ConversationPlace }> {
      const { rows } = await db.raw<{ rows: ConversationRow[] }>(
        `SELECT c.id AS own_id, c.kind AS own_kind, c.title, c.created_at AS began_at, ${ACTIVE_AT} AS active_at,
           CAST(extract(epoch FROM ${ACTIVE_AT}) * 1000000 AS bigint) AS active_micros, c.last_seq, p.role, p.notify, p.muted_until,
           p.last_read_seq, ${UNREAD} AS unread, ${PREFIXED_MESSAGE}
         FROM participants p
         JOIN conversations c ON c.id = p.conversation_id AND c.tenant_id = :tenantId
         LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq = c.last_seq AND m.seq > p.joined_seq
         WHERE p.extension_id = :extensionId AND p.left_at IS NULL AND (CAST(:id AS uuid) IS NULL OR c.id = :id)
           AND (CAST(:at AS bigint) IS NULL
             OR (CAST(extract(epoch FROM ${ACTIVE_AT}) * 1000000 AS bigint), c.id) < (:at, CAST(:afterId AS uuid)))
         ORDER BY active_micros DESC, c.id DESC LIMIT :limit`,
        {
          ...{ tenantId, extensionId, id: id ?? null, limit: limit + 1 },
          ...{ at: after?.activeAt ?? null, afterId: after?.id ?? null },
        },
      )
      const page = rows.slice(0, limit)
      const people = await participantsOf(
        db,
        page.map(({ own_id }) => own_id),
      )
      const last = page.at(-1)
      return {
        conversations: page.map((row) => toView(row, people.get(row.own_id) ?? [])),
        ...(rows.length > limit && last && { next: { activeAt: last.active_micros, id: last.own_id } }),
      }
    },

    /** Over all conversations of each; those without any are missing. */
    async unread(owners: readonly Owned[]): Promise<Map<number, number>> {
      const { rows } = await db.raw<{ rows: { extension_id: number; unread: number }[] }>(
        `SELECT p.extension_id, sum(${UNREAD})::int AS unread
         FROM unnest(?::uuid[], ?::bigint[]) AS a (tenant_id, extension_id)
         JOIN participants p ON p.extension_id = a.extension_id AND p.left_at IS NULL
         JOIN conversations c ON c.id = p.conversation_id AND c.tenant_id = a.tenant_id AND c.last_seq > p.last_read_seq
         GROUP BY p.extension_id`,
        [owners.map(({ tenantId }) => tenantId), owners.map(({ extensionId }) => extensionId)],
      )
      return new Map(rows.map(({ extension_id, unread }) => [extension_id, unread]))
    },

    /** Who is in it now, for who is in it himself. */
    async members({ tenantId, extensionId }: Owned, id: string): Promise<number[]> {
      const { rows } = await db.raw<{ rows: { extension_id: number }[] }>(
        `SELECT o.extension_id FROM participants p
         JOIN conversations c ON c.id = p.conversation_id AND c.tenant_id = ?
         JOIN participants o ON o.conversation_id = p.conversation_id AND o.left_at IS NULL
         WHERE p.conversation_id = ? AND p.extension_id = ? AND p.left_at IS NULL`,
        [tenantId, id, extensionId],
      )
      return rows.map((row) => row.extension_id)
    },

    /** The people with whom each talks alone, the last first; those who talk with nobody are missing. */
    async peers(owners: readonly Owned[], limit: number): Promise<Map<number, Person[]>> {
      const { rows } = await db.raw<{ rows: (Person & { owner: number })[] }>(
        `SELECT a.extension_id AS owner, peer.id AS "extensionId", peer.number
         FROM unnest(?::uuid[], ?::bigint[]) AS a (tenant_id, extension_id)
         CROSS JOIN LATERAL (
           SELECT e.id, e.number FROM participants p
           JOIN conversations c ON c.id = p.conversation_id AND c.tenant_id = a.tenant_id AND c.kind = 'direct'
           JOIN participants o ON o.conversation_id = p.conversation_id AND o.extension_id <> p.extension_id AND o.left_at IS NULL
           JOIN extensions e ON e.id = o.extension_id
           WHERE p.extension_id = a.extension_id AND p.left_at IS NULL
           ORDER BY c.last_message_at DESC NULLS LAST LIMIT ?
         ) peer`,
        [owners.map(({ tenantId }) => tenantId), owners.map(({ extensionId }) => extensionId), limit],
      )
      const byOwner = Map.groupBy(rows, ({ owner }) => owner)
      return new Map(
        [...byOwner].map(([owner, peers]) => [
          owner,
          peers.map(({ extensionId, number }) => ({ extensionId, number })),
        ]),
      )
    },
  }
}
export type ConversationListStore = ReturnType<typeof createConversationListStore>

type ConversationRow = {
  own_id: string
  own_kind: ConversationKind
  title: string
  began_at: Date
  active_at: Date
  active_micros: number
  last_seq: number
  role: ParticipantRole
  notify: NotifyMode
  muted_until: Date | null
  last_read_seq: number
  unread: number
} & MessageRow

async function participantsOf(db: Knex, ids: readonly string[]): Promise<Map<string, ParticipantView[]>> {
  const { rows } = await db.raw<{ rows: (ParticipantView & { conversationId: string })[] }>(
    `SELECT p.conversation_id AS "conversationId", p.extension_id AS "extensionId", e.number, e.name, p.role,
       p.last_read_seq AS "lastReadSeq", p.last_delivered_seq AS "lastDeliveredSeq"
     FROM participants p JOIN extensions e ON e.id = p.extension_id
     WHERE p.conversation_id = ANY (?::uuid[]) AND p.left_at IS NULL
     ORDER BY p.joined_at, e.number`,
    [[...ids]],
  )
  return Map.groupBy(rows, ({ conversationId }) => conversationId)
}

const toView = (row: ConversationRow, participants: ParticipantView[]): ConversationView => ({
  id: row.own_id,
  kind: row.own_kind,
  title: row.title,
  createdAt: row.began_at,
  activeAt: row.active_at,
  lastSeq: row.last_seq,
  ...(row.id !== null && { lastMessage: toMessage(row) }),
  unread: Number(row.unread),
  role: row.role,
  notify: row.notify,
  ...(row.muted_until && { mutedUntil: row.muted_until }),
  lastReadSeq: row.last_read_seq,
  participants: participants.map(({ extensionId, number, name, role, lastReadSeq, lastDeliveredSeq }) => ({
    ...{ extensionId, number, name, role, lastReadSeq, lastDeliveredSeq },
  })),
})
