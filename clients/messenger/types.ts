import { type Fields, isFields, short, textAt, textOrNullAt } from './json.ts'

export interface Me {
  readonly id: string
  readonly username: string
}

export interface Conversation {
  readonly id: string
  readonly name: string | null
  readonly lastMessageAt: string | null
}

export interface Message {
  readonly id: string
  readonly conversationId: string
  readonly senderId: string
  readonly content: string
  readonly kind: string
  readonly createdAt: string
  readonly deliveredAt: string | null
  readonly readAt: string | null
  readonly clientId: string | null
}

export interface Draft {
  readonly conversationId: string
  readonly content: string
  readonly kind: 'text'
  /** Chosen by the client and kept over repeats, so that a message sent twice is one message. */
  readonly clientId: string
}

export interface SyncPage {
  readonly messages: readonly Message[]
  readonly nextCursor: string
  /** Whether the service said that there is more; null when it does not say. */
  readonly more: boolean | null
  readonly reset: boolean
}

export function meFrom(value: unknown): Me {
  const fields = fieldsOf(value, 'a user')
  return { id: textAt(fields, 'id'), username: textAt(fields, 'username') }
}

export function conversationFrom(value: unknown): Conversation {
  const fields = fieldsOf(value, 'a conversation')
  return {
    id: textAt(fields, 'id'),
    name: textOrNullAt(fields, 'name'),
    lastMessageAt: textOrNullAt(fields, 'lastMessageAt'),
  }
}

export function messageFrom(value: unknown): Message {
  const fields = fieldsOf(value, 'a message')
  return {
    id: textAt(fields, 'id'),
    conversationId: textAt(fields, 'conversationId'),
    senderId: textAt(fields, 'senderId'),
    content: textAt(fields, 'content'),
    kind: textAt(fields, 'kind'),
    createdAt: textAt(fields, 'createdAt'),
    deliveredAt: textOrNullAt(fields, 'deliveredAt'),
    readAt: textOrNullAt(fields, 'readAt'),
    clientId: textOrNullAt(fields, 'clientId'),
  }
}

export function fieldsOf(value: unknown, what: string): Fields {
  if (!isFields(value)) throw new Error(`${short(value)} is not ${what}`)
  return value
}
