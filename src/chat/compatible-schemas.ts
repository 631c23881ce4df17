import { z } from 'zod'
import { type ChatMessage, userIdOf } from './chat.ts'
import {
  clientId,
  content,
  extensionNumber,
  extensionNumbers,
  limit,
  messageKind,
  time,
  title,
  uuid,
} from './chat-fields.ts'
import type { ConversationView } from './conversation-list-store.ts'
import type { OtherReceipt } from './message-store.ts'
import { eventLimit } from './sync-schemas.ts'

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

const isoOrNull = (time: Date | undefined): string | null => time?.toISOString() ?? null

/** @param receipt of a message that its asker has sent */
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

/** Longest number and longest domain, with an `@` between. */
const LONGEST_USERNAME = 294
const LONGEST_PASSWORD = 256
const BOTH = 'username and password are required'
const credential = (most: number) =>
  z
    .string(BOTH)
    .min(1, BOTH)
    .max(most, 'username or password exceeds maximum length')
    .refine((text) => !text.includes('\0'), 'username and password must be plain text')

export const CompatibleLoginBody = z
  .strictObject({
    username: credential(LONGEST_USERNAME).describe('Number of the extension; `1001@pbx.example.com` too.'),
    password: credential(LONGEST_PASSWORD),
  })
  .meta({ id: 'MessengerLogin' })

export const CompatibleConversationsQuery = z.object({ limit: limit(20, 100) })

export const CompatibleConversationBody = z
  .strictObject({
    username: extensionNumber('username').optional().describe('Whom to talk with alone.'),
    name: title('name').optional().describe('Of a group.'),
    usernames: extensionNumbers('usernames').optional(),
  })
  .transform(({ username, name, usernames }, context) => {
    if (username !== undefined && name === undefined && usernames === undefined) {
      return { kind: 'direct' as const, username }
    }
    if (username === undefined && name !== undefined && usernames !== undefined) {
      return { kind: 'group' as const, name, usernames }
    }
    context.addIssue({ code: 'custom', message: 'give either username, or name and usernames' })
    return z.NEVER
  })
  .meta({ id: 'NewMessengerConversation' })

export const CompatibleMessagesQuery = z.object({
  conversationId: uuid('conversationId'),
  limit: limit(50, 200),
  beforeCreatedAt: time('beforeCreatedAt').optional().describe('Only messages from before this moment.'),
})

export const CompatibleMessageBody = z
  .strictObject({
    conversationId: uuid('conversationId'),
    clientId: clientId('clientId'),
    content,
    kind: messageKind.default('text'),
  })
  .meta({ id: 'NewMessengerMessage' })

const SINCE = 'since must be a cursor of an earlier answer, or a time like 2026-11-21T10:00:00Z (RFC 3339)'
export const CompatibleSyncQuery = z.object({
  since: z
    .string(SINCE)
    .min(1, SINCE)
    .max(200, SINCE)
    .transform((text) => {
      const { data: moment } = time('since').safeParse(text)
      return moment ? { moment } : { cursor: text }
    })
    .optional()
    .describe('`nextCursor` of the answer before, or a time; without it all that is kept.'),
  limit: eventLimit,
})

export const CompatibleSyncAnswer = z.object({
  messages: z.array(CompatibleMessage).describe('As they are now. From a time on some may come twice.'),
  nextCursor: z.string(),
  more: z.boolean(),
  reset: z
    .literal(true)
    .optional()
    .describe('What was asked for is older than what is kept, 30 days: load the conversations anew.'),
})

export const CompatibleUser = z
  .object({ id: z.uuid(), username: z.string().describe('Number of the extension.'), name: z.string() })
  .meta({ id: 'MessengerUser' })
