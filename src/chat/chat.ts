import { derivedId } from '../lib/ids.ts'

/** The vocabulary of chat: people of one PBX, what they say to each other, and what each of them has to be told. */

export const CONVERSATION_KINDS = ['direct', 'group'] as const
export type ConversationKind = (typeof CONVERSATION_KINDS)[number]

/** What a participant wants to be pushed. */
export const NOTIFY_MODES = ['all', 'mentions', 'none'] as const
export type NotifyMode = (typeof NOTIFY_MODES)[number]

export type ParticipantRole = 'owner' | 'member'

/** Who asks: an extension, on one of its phones if its session is bound to one. */
export interface ChatCaller {
  tenantId: string
  extensionId: number
  /** Its number. */
  extension: string
  deviceKey?: string
}

export interface Person {
  extensionId: number
  number: string
}

/** More people than this are no conversation any more, and each message is a row for each of them. */
export const MAX_PARTICIPANTS = 500
/** Characters of one message, as people count them; far above what is typed, far below what would hurt. */
export const MAX_CONTENT = 8_000

export interface ChatMessage {
  id: string
  conversationId: string
  /** Its place in the conversation: 1, 2, 3, ... without a gap. */
  seq: number
  senderId: number
  /** As they were when it was sent. */
  senderNumber: string
  senderName: string
  /** The sender's own id of it. */
  clientId: string
  /** `text`, or whatever the apps agree on; what is no text is not shown in a push. */
  kind: string
  /** Empty when it was deleted. */
  content: string
  replyTo?: string
  /** Extension ids. */
  mentions: readonly number[]
  createdAt: Date
  editedAt?: Date
  deletedAt?: Date
}

export const CHAT_EVENT_TYPES = [
  'message.created',
  'message.edited',
  'message.deleted',
  'message.delivered',
  'message.read',
  'conversation.created',
  'conversation.updated',
  'participant.joined',
  'participant.left',
] as const
export type ChatEventType = (typeof CHAT_EVENT_TYPES)[number]

/** How far somebody has got, or read, a conversation. */
export interface ReceiptData {
  /** Whose receipt it is. */
  extensionId: number
  number: string
  /** All messages up to this one. */
  seq: number
  /** The last of them. */
  messageId: string
  /** RFC 3339. */
  at: string
}
export interface MemberData {
  extensionId: number
  number: string
  name: string
}

/** One thing that an extension has to be told; `seq` numbers its own events without a gap. */
export interface ChatEvent {
  seq: number
  type: ChatEventType
  conversationId: string
  at: Date
  /** For `message.created`, `message.edited` and `message.deleted`: as it is now. */
  message?: ChatMessage
  /** For receipts. */
  receipt?: ReceiptData
  /** For participants who come and go. */
  member?: MemberData
}

/** The id by which clients know a person that want a UUID. */
export const userIdOf = (tenantId: string, extensionId: number): string =>
  derivedId('chat-user', tenantId, String(extensionId))

/** One push per message and phone, whoever makes it. */
export const pushIdOf = (messageId: string, deviceId: string): string =>
  derivedId('chat-push', messageId, deviceId)
