import type { Knex } from 'knex'
import type { ChatMessage } from './chat.ts'
import type { Owned } from './conversation-store.ts'
import { type MessageRow, PREFIXED_MESSAGE, toMessage } from './message-row.ts'

/** How others got a message. */
export interface Receipts {
  extensionId: number
  number: string
  name: string
  deliveredAt?: Date
  readAt?: Date
}

/** How the other one of two got a message. */
export type OtherReceipt = Pick<Receipts, 'deliveredAt' | 'readAt'>

export interface PageOfMessages {
  /** The newest first. */
  messages: ChatMessage[]
  hasMore: boolean
}
export interface MessageRange {
  limit: number
  /** Only messages before this place, or after it. */
  beforeSeq?: number | undefined
  afterSeq?: number | undefined
  beforeCreatedAt?: Date | undefined
}

/** Messages as a participant sees them: those since he has joined. */
export function createMessageStore(db: Knex) {
  const visible = ({ tenantId, extensionId }: Owned) =>
    db('messages as m')
      .join('conversations as c', 'c.id', 'm.conversation_id')
      .join('participants as p', 'p.conversation_id', 'c.id')
      .where({ 'c.tenant_id': tenantId, 'p.extension_id': extensionId })
      .whereNull('p.left_at')
      .whereRaw('m.seq > p.joined_seq')
  return {
    /** The newest of the range; with `afterSeq` alone the oldest of it, so that a client can go on where it was. */
    async page(
      owner: Owned,
      conversationId: string,
      { limit, beforeSeq, afterSeq, beforeCreatedAt }: MessageRange,
    ): Promise<PageOfMessages> {
      const isForward = afterSeq !== undefined && beforeSeq === undefined
      const query = visible(owner)
        .select(db.raw(PREFIXED_MESSAGE))
        .where('m.conversation_id', conversationId)
        .orderBy('m.seq', isForward ? 'asc' : 'desc')
        .limit(limit + 1)
      if (beforeSeq !== undefined) query.where('m.seq', '<', beforeSeq)
      if (afterSeq !== undefined) query.where('m.seq', '>', afterSeq)
      if (beforeCreatedAt) query.where('m.created_at', '<', beforeCreatedAt)
      const rows = (await query) as unknown as MessageRow[]
      const messages = rows.slice(0, limit).map(toMessage)
      return { messages: isForward ? messages.reverse() : messages, hasMore: rows.length > limit }
    },

    async find(owner: Owned, id: string): Promise<ChatMessage | undefined> {
      const [row] = (await visible(owner)
        .select(db.raw(PREFIXED_MESSAGE))
        .where('m.id', id)) as unknown as MessageRow[]
      return row && toMessage(row)
    },

    /** By id: those of the messages that he has sent to one other person. */
    async otherReceipts(
      { tenantId, extensionId }: Owned,
      messages: readonly ChatMessage[],
    ): Promise<Map<string, OtherReceipt>> {
      const own = messages.filter(({ senderId }) => senderId === extensionId).map(({ id }) => id)
      if (own.length === 0) return new Map()
      const { rows } = await db.raw<{ rows: (ReceiptTimes & { id: string })[] }>(
        `SELECT m.id, ${firstReceipt('delivered', 'm.seq')} AS delivered_at, ${firstReceipt('read', 'm.seq')} AS read_at
         FROM messages m
         JOIN conversations c ON c.id = m.conversation_id AND c.tenant_id = ? AND c.kind = 'direct'
         JOIN participants p ON p.conversation_id = c.id AND p.extension_id <> m.sender_id
         WHERE m.id = ANY (?::uuid[]) AND m.sender_id = ?`,
        [tenantId, own, extensionId],
      )
      return new Map(rows.map((row) => [row.id, timesOf(row)]))
    },

    /** Of all who were to get it. */
    async receipts({ conversationId, seq, senderId }: ChatMessage): Promise<Receipts[]> {
      const { rows } = await db.raw<{ rows: ReceiptRow[] }>(
        `SELECT p.extension_id, e.number, e.name,
           ${firstReceipt('delivered', ':seq')} AS delivered_at, ${firstReceipt('read', ':seq')} AS read_at
         FROM participants p JOIN extensions e ON e.id = p.extension_id
         WHERE p.conversation_id = :conversationId AND p.extension_id <> :senderId AND p.left_at IS NULL AND p.joined_seq < :seq
         ORDER BY e.number`,
        { conversationId, seq, senderId },
      )
      return rows.map((row) => ({
        ...{ extensionId: row.extension_id, number: row.number, name: row.name },
        ...timesOf(row),
      }))
    },
  }
}
export type MessageStore = ReturnType<typeof createMessageStore>

interface ReceiptTimes {
  delivered_at: Date | null
  read_at: Date | null
}
interface ReceiptRow extends ReceiptTimes {
  extension_id: number
  number: string
  name: string
}

/** When participant `p` got, or read, the message at this place. */
const firstReceipt = (kind: 'delivered' | 'read', seq: string): string =>
  `(SELECT at FROM receipts r WHERE r.conversation_id = p.conversation_id AND r.extension_id = p.extension_id
      AND r.kind = '${kind}' AND r.seq >= ${seq} ORDER BY r.seq LIMIT 1)`

/** Read on one phone, it has been there, whatever the others say. */
const timesOf = ({ delivered_at, read_at }: ReceiptTimes): OtherReceipt => {
  const deliveredAt = delivered_at ?? read_at
  return { ...(deliveredAt && { deliveredAt }), ...(read_at && { readAt: read_at }) }
}
