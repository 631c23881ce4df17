import { z } from 'zod'
import { type ChatMessage, userIdOf } from './chat.ts'
import type { ConversationView } from './conversation-list-store.ts'

/** People, conversations and messages as the client of a messenger knows them: bare and in camelCase. */

export const CompatibleMessage = z
  .object({
    id: z.uuid(),
    conversationId: z.uuid(),
    senderId: z.uuid(),
    content: z.string().describe('Empty when it was deleted.'),
    kind: z.string(),
    createdAt: z.string(),
    deliveredAt: z.string().nullable().describe('Of one’s own, in a conversation of two.'),
    readAt: z.string().nullable().describe('Of one’s own, in a conversation of two.'),
    editedAt: z.string().nullable(),
    deletedAt: z.string().nullable(),
    clientId: z.string(),
    seq: z.int().describe('Its place in the conversation.'),
  })
  .meta({ id: 'MessengerMessage' })

/** When the other one of two has got and read a message. */
export interface OtherReceipt {
  deliveredAt?: Date
  readAt?: Date
}

const isoOrNull = (time: Date | undefined): string | null => time?.toISOString() ?? null

/** @param receipt of a message of whoever asks */
export const describeCompatibleMessage = (
  tenantId: string,
  message: ChatMessage,
  receipt: OtherReceipt = {},
): z.output<typeof CompatibleMessage> => ({
  id: message.id,
  conversationId: message.conversationId,
  senderId: userIdOf(tenantId, message.senderId),
  content: message.content,
  kind: message.kind,
  createdAt: message.createdAt.toISOString(),
  deliveredAt: isoOrNull(receipt.deliveredAt),
  readAt: isoOrNull(receipt.readAt),
  editedAt: isoOrNull(message.editedAt),
  deletedAt: isoOrNull(message.deletedAt),
  clientId: message.clientId,
  seq: message.seq,
})

export const CompatibleConversation = z
  .object({
    id: z.uuid(),
    name: z.string().describe('Of a conversation of two: who the other one is.'),
    lastMessageAt: z.string().nullable(),
    unreadCount: z.int(),
  })
  .meta({ id: 'MessengerConversation' })

export const describeCompatibleConversation = (
  extensionId: number,
  { id, kind, title, lastSeq, activeAt, unread, participants }: ConversationView,
): z.output<typeof CompatibleConversation> => {
  const other = participants.find((each) => each.extensionId !== extensionId) ?? participants[0]
  return {
    id,
    name: kind === 'group' ? title : other?.name || (other?.number ?? ''),
    lastMessageAt: lastSeq > 0 ? activeAt.toISOString() : null,
    unreadCount: unread,
  }
}

export const CompatibleUser = z
  .object({ id: z.uuid(), username: z.string().describe('Number of the extension.'), name: z.string() })
  .meta({ id: 'MessengerUser' })
