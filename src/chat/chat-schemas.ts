import { z } from 'zod'
import {
  CHAT_EVENT_TYPES,
  type ChatEvent,
  type ChatMessage,
  CONVERSATION_KINDS,
  type MemberData,
  NOTIFY_MODES,
  userIdOf,
} from './chat.ts'
import type { ConversationView } from './conversation-list-store.ts'

/** What is answered about conversations and messages. What there is none of is null. */

const role = z.enum(['owner', 'member'])
const person = {
  id: z.int().describe('Of the extension.'),
  user_id: z.uuid().describe('The same, for clients that want a UUID.'),
  extension: z.string().describe('Its number.'),
}
const Member = z.object({ ...person, name: z.string() }).meta({ id: 'ChatMember' })

export const MessageAnswer = z
  .object({
    id: z.uuid(),
    conversation_id: z.uuid(),
    seq: z.int().describe('Its place in the conversation: 1, 2, 3, … without a gap.'),
    sender: Member.describe('As they were when it was sent.'),
    client_id: z.string(),
    kind: z.string(),
    content: z.string().describe('Empty when it was deleted.'),
    reply_to: z.uuid().nullable(),
    mentions: z.array(z.int()).describe('Ids of extensions.'),
    created_at: z.string(),
    edited_at: z.string().nullable(),
    deleted_at: z.string().nullable(),
  })
  .meta({ id: 'ChatMessage' })

export const ConversationAnswer = z
  .object({
    id: z.uuid(),
    kind: z.enum(CONVERSATION_KINDS),
    title: z.string().describe('Of a group.'),
    created_at: z.string(),
    last_message_at: z.string().nullable(),
    last_seq: z.int(),
    last_message: MessageAnswer.nullable(),
    unread: z.int(),
    role: role.describe('One’s own.'),
    notify: z.enum(NOTIFY_MODES),
    muted_until: z.string().nullable(),
    last_read_seq: z.int(),
    participants: z.array(
      z.object({
        ...person,
        ...{ name: z.string(), role, last_read_seq: z.int(), last_delivered_seq: z.int() },
      }),
    ),
  })
  .meta({ id: 'Conversation' })

export const EventAnswer = z
  .object({
    seq: z.int().describe('Numbers the events of the extension.'),
    type: z.enum(CHAT_EVENT_TYPES),
    conversation_id: z.uuid(),
    at: z.string(),
    message: MessageAnswer.optional().describe('As it is now.'),
    receipt: z
      .object({ ...person, seq: z.int(), message_id: z.uuid(), at: z.string() })
      .optional()
      .describe('Who has got, or read, everything up to `seq`.'),
    member: Member.optional(),
  })
  .meta({ id: 'ChatEvent' })

const isoOrNull = (at: Date | undefined): string | null => at?.toISOString() ?? null

const describePerson = (tenantId: string, id: number, extension: string) => ({
  ...{ id, user_id: userIdOf(tenantId, id), extension },
})
export const describeMember = (
  tenantId: string,
  { extensionId, number, name }: MemberData,
): z.output<typeof Member> => ({ ...describePerson(tenantId, extensionId, number), name })

export const describeMessage = (tenantId: string, message: ChatMessage): z.output<typeof MessageAnswer> => ({
  id: message.id,
  conversation_id: message.conversationId,
  seq: message.seq,
  sender: describeMember(tenantId, {
    ...{ extensionId: message.senderId, number: message.senderNumber, name: message.senderName },
  }),
  client_id: message.clientId,
  kind: message.kind,
  content: message.content,
  reply_to: message.replyTo ?? null,
  mentions: [...message.mentions],
  created_at: message.createdAt.toISOString(),
  edited_at: isoOrNull(message.editedAt),
  deleted_at: isoOrNull(message.deletedAt),
})

export const describeConversation = (
  tenantId: string,
  view: ConversationView,
): z.output<typeof ConversationAnswer> => ({
  id: view.id,
  kind: view.kind,
  title: view.title,
  created_at: view.createdAt.toISOString(),
  last_message_at: view.lastSeq > 0 ? view.activeAt.toISOString() : null,
  last_seq: view.lastSeq,
  last_message: view.lastMessage ? describeMessage(tenantId, view.lastMessage) : null,
  unread: view.unread,
  role: view.role,
  notify: view.notify,
  muted_until: isoOrNull(view.mutedUntil),
  last_read_seq: view.lastReadSeq,
  participants: view.participants.map((each) => ({
    ...describeMember(tenantId, each),
    role: each.role,
    last_read_seq: each.lastReadSeq,
    last_delivered_seq: each.lastDeliveredSeq,
  })),
})

/** None for a message that is gone together with its conversation. */
export function describeEvents(
  tenantId: string,
  events: readonly ChatEvent[],
): z.output<typeof EventAnswer>[] {
  return events.filter(isTellable).map(({ seq, type, conversationId, at, message, receipt, member }) => ({
    ...{ seq, type, conversation_id: conversationId, at: at.toISOString() },
    ...(message && { message: describeMessage(tenantId, message) }),
    ...(receipt && {
      receipt: {
        ...describePerson(tenantId, receipt.extensionId, receipt.number),
        ...{ seq: receipt.seq, message_id: receipt.messageId, at: receipt.at },
      },
    }),
    ...(member && { member: describeMember(tenantId, member) }),
  }))
}

const isTellable = ({ type, message }: ChatEvent): boolean =>
  message !== undefined ||
  (type !== 'message.created' && type !== 'message.edited' && type !== 'message.deleted')
