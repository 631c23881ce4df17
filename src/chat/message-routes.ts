import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { ChangeConversations } from './change-conversations.ts'
import type { ChangeMessages } from './change-messages.ts'
import { describeMessage, MessageAnswer } from './chat-schemas.ts'
import { conversationParams } from './conversation-schemas.ts'
import {
  describeReceipts,
  EditBody,
  MESSAGE_BYTES,
  MessageBody,
  MessageQuery,
  MessagesAnswer,
  messageParams as params,
  ReceiptsAnswer,
} from './message-schemas.ts'
import type { MessageStore } from './message-store.ts'
import type { SendMessage } from './send-message.ts'

export interface MessageRouteDeps {
  appAuth: AuthScheme<AppCaller>
  messages: MessageStore
  changeConversations: ChangeConversations
  changeMessages: ChangeMessages
  sendMessage: SendMessage
}

const tag = 'Chat'
const pathOfAll = '/api/v1/app/conversations/{id}/messages'
const path = '/api/v1/app/messages/{id}'
const problems = [...APP_PROBLEMS, 'invalid_request'] as const

/** What is said in a conversation. */
export const messageRoutes = (deps: MessageRouteDeps): Route[] => [
  listMessages(deps),
  postMessage(deps),
  editMessage(deps),
  deleteMessage(deps),
  listReceipts(deps),
]

const listMessages = ({ appAuth, messages, changeConversations }: MessageRouteDeps): Route =>
  route({
    method: 'get',
    path: pathOfAll,
    tag,
    summary: 'What was said in a conversation, the newest first',
    description:
      'Since one has joined. With `after` alone the oldest messages after it, to go on from there.',
    auth: appAuth,
    params: conversationParams,
    query: MessageQuery,
    replies: [{ status: 200, description: 'A page of messages.', schema: MessagesAnswer }],
    problems: [...problems, 'unknown_conversation'],
    async handler({ caller, params: { id }, query }) {
      await orStoreAway(changeConversations.membership(caller, id))
      const range = { limit: query.limit, beforeSeq: query.before, afterSeq: query.after }
      const page = await orStoreAway(messages.page(caller, id, range))
      const items = page.messages.map((message) => describeMessage(caller.tenantId, message))
      return { data: { items, has_more: page.hasMore } }
    },
  })

const postMessage = ({ appAuth, sendMessage }: MessageRouteDeps): Route =>
  route({
    method: 'post',
    path: pathOfAll,
    tag,
    summary: 'Say something in a conversation',
    description:
      'The answer means that it is stored. Sent again with the same `client_id` it is the same message; an extension sends at most 120 a minute.',
    auth: appAuth,
    params: conversationParams,
    body: MessageBody,
    bodyTexts: 'app',
    bodyLimit: MESSAGE_BYTES,
    replies: [
      { status: 200, description: 'It was said before.', schema: MessageAnswer },
      { status: 201, description: 'It is said.', schema: MessageAnswer },
    ],
    problems: [...problems, 'unknown_conversation', 'client_id_reused', 'rate_limited'],
    async handler({ caller, params: { id: conversationId }, body }) {
      const { message, isNew } = await orStoreAway(
        sendMessage({
          ...{ caller, conversationId, clientId: body.client_id, content: body.content, kind: body.kind },
          ...{ replyTo: body.reply_to ?? undefined, mentions: body.mentions },
        }),
      )
      return { status: isNew ? 201 : 200, data: describeMessage(caller.tenantId, message) }
    },
  })

const editMessage = ({ appAuth, changeMessages }: MessageRouteDeps): Route =>
  route({
    method: 'patch',
    path,
    tag,
    summary: 'Say something else in its place',
    auth: appAuth,
    params,
    body: EditBody,
    bodyTexts: 'app',
    bodyLimit: MESSAGE_BYTES,
    replies: [{ status: 200, description: 'As it is now.', schema: MessageAnswer }],
    problems: [...problems, 'not_your_message', 'unknown_message', 'message_deleted'],
    async handler({ caller, params: { id }, body }) {
      const message = await orStoreAway(changeMessages.edit(caller, id, body.content))
      return { data: describeMessage(caller.tenantId, message) }
    },
  })

const deleteMessage = ({ appAuth, changeMessages }: MessageRouteDeps): Route =>
  route({
    method: 'delete',
    path,
    tag,
    summary: 'Take back what one has said',
    description: 'An empty message stays in its place. Repeating it is harmless.',
    auth: appAuth,
    params,
    replies: [{ status: 200, description: 'As it is now.', schema: MessageAnswer }],
    problems: [...problems, 'not_your_message', 'unknown_message'],
    async handler({ caller, params: { id } }) {
      const message = await orStoreAway(changeMessages.remove(caller, id))
      return { data: describeMessage(caller.tenantId, message) }
    },
  })

const listReceipts = ({ appAuth, messages, changeMessages }: MessageRouteDeps): Route =>
  route({
    method: 'get',
    path: `${path}/receipts`,
    tag,
    summary: 'Who has got a message, and who has read it',
    auth: appAuth,
    params,
    replies: [{ status: 200, description: 'All who were to get it.', schema: ReceiptsAnswer }],
    problems: [...problems, 'unknown_message'],
    async handler({ caller, params: { id } }) {
      const message = await orStoreAway(changeMessages.find(caller, id))
      const receipts = await orStoreAway(messages.receipts(message))
      return { data: describeReceipts(caller.tenantId, receipts) }
    },
  })
