import { z } from 'zod'

/** What the app looks at in the answers of Wakeline; what it does not know it leaves alone. */

export interface LocalMessage {
  id: string
  conversationId: string
  seq: number
  /** The user id of who said it. */
  senderId: string
  clientId: string
  content: string
  isDeleted: boolean
}

/** As in the answers of REST. */
const RestMessage = z
  .object({
    id: z.string(),
    conversation_id: z.string(),
    seq: z.int(),
    sender: z.object({ user_id: z.string() }),
    client_id: z.string(),
    content: z.string(),
    deleted_at: z.string().nullish(),
  })
  .transform(
    (message): LocalMessage => ({
      ...{ id: message.id, conversationId: message.conversation_id, seq: message.seq },
      ...{ senderId: message.sender.user_id, clientId: message.client_id, content: message.content },
      isDeleted: typeof message.deleted_at === 'string',
    }),
  )

/** As in the frames of the WebSocket. */
export const FrameMessage = z
  .object({
    id: z.string(),
    conversationId: z.string(),
    seq: z.int(),
    senderId: z.string(),
    clientId: z.string(),
    content: z.string(),
    deletedAt: z.string().nullish(),
  })
  .transform(
    ({ deletedAt, ...message }): LocalMessage => ({ ...message, isDeleted: typeof deletedAt === 'string' }),
  )

/** As in the frames of the WebSocket. */
export const FrameReceipt = z
  .object({ conversationId: z.string(), extension: z.string(), upToSeq: z.int() })
  .transform(({ upToSeq, ...receipt }) => ({ ...receipt, seq: upToSeq }))

const Conversation = z.object({
  id: z.string(),
  last_seq: z.int(),
  last_read_seq: z.int(),
  last_message: RestMessage.nullish(),
})

const SyncEvent = z.object({
  seq: z.int(),
  type: z.string(),
  conversation_id: z.string(),
  message: RestMessage.optional(),
  receipt: z.object({ extension: z.string(), seq: z.int() }).optional(),
})
export type SyncEvent = z.output<typeof SyncEvent>

export const SyncAnswer = z.object({
  data: z.object({
    events: z.array(SyncEvent),
    next: z.string(),
    more: z.boolean(),
    badge: z.int(),
    reset: z.boolean().optional(),
    conversations: z.array(Conversation).optional(),
  }),
})
export const PageAnswer = z.object({ data: z.object({ items: z.array(RestMessage), has_more: z.boolean() }) })
export const MessageAnswer = z.object({ data: RestMessage })
export const ConversationAnswer = z.object({ data: Conversation })
export const LoginAnswer = z.object({ data: z.object({ token: z.string() }) })
export const RegisterAnswer = z.object({ data: z.object({ id: z.string(), device_id: z.string() }) })
export const Refusal = z.object({ code: z.string(), error: z.string() })

/** A frame of the WebSocket, from either side. */
export const Frame = z.object({
  type: z.string(),
  id: z.unknown().optional(),
  payload: z.record(z.string(), z.unknown()).default({}),
  seq: z.int().optional(),
  cursor: z.string().optional(),
})
export type Frame = z.output<typeof Frame>
