import type { ChatMessage } from './chat.ts'

/** A row of messages as the driver gives it; all NULL where there is none. */
export interface MessageRow {
  id: string | null
  conversation_id: string
  message_seq: number
  sender_id: number
  sender_number: string
  sender_name: string
  client_id: string
  kind: string
  content: string
  reply_to: string | null
  mentions: string[] | number[]
  created_at: Date
  edited_at: Date | null
  deleted_at: Date | null
}

/** Of a table with the alias `m`. What was deleted is not read. */
export const PREFIXED_MESSAGE = `m.id, m.conversation_id, m.seq AS message_seq, m.sender_id, m.sender_number, m.sender_name, m.client_id,
  m.kind, CASE WHEN m.deleted_at IS NULL THEN m.content ELSE '' END AS content, m.reply_to, m.mentions, m.created_at, m.edited_at,
  m.deleted_at`

export const toMessage = (row: MessageRow): ChatMessage => ({
  id: String(row.id),
  conversationId: row.conversation_id,
  seq: row.message_seq,
  senderId: row.sender_id,
  senderNumber: row.sender_number,
  senderName: row.sender_name,
  clientId: row.client_id,
  kind: row.kind,
  content: row.content,
  ...(row.reply_to !== null && { replyTo: row.reply_to }),
  mentions: row.mentions.map(Number),
  createdAt: row.created_at,
  ...(row.edited_at && { editedAt: row.edited_at }),
  ...(row.deleted_at && { deletedAt: row.deleted_at }),
})
