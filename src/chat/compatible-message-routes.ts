import { z } from 'zod'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { ChangeConversations } from './change-conversations.ts'
import type { ChatMessage } from './chat.ts'
import {
  CompatibleMessage,
  CompatibleMessageBody,
  CompatibleMessagesQuery,
  CompatibleSyncAnswer,
  CompatibleSyncQuery,
  describeCompatibleMessage,
} from './compatible-schemas.ts'
import { MESSAGE_BYTES } from './message-schemas.ts'
import type { MessageStore } from './message-store.ts'
import type { SendMessage } from './send-message.ts'
import type { Sync } from './sync.ts'

export interface CompatibleMessageRouteDeps {
  appAuth: AuthScheme<AppCaller>
  messages: MessageStore
  changeConversations: ChangeConversations
  sendMessage: SendMessage
  chatSync: Sync
}

const tag = 'Messenger'
const bare = true
const problems = [...APP_PROBLEMS, 'invalid_request'] as const

/** Messages in the paths and names that the client of a messenger knows, without an envelope. */
export const compatibleMessageRoutes = (deps: CompatibleMessageRouteDeps): Route[] => [
  listMessages(deps),
  postMessage(deps),
  syncMessages(deps),
]

const listMessages = ({ appAuth, messages, changeConversations }: CompatibleMessageRouteDeps): Route =>
  route({
    method: 'get',
    path: '/messages',
    tag,
    summary: 'What was said in a conversation, the newest first',
    auth: appAuth,
    query: CompatibleMessagesQuery,
    replies: [{ status: 200, description: 'A page of it.', schema: z.array(CompatibleMessage), bare }],
    problems: [...problems, 'not_a_participant'],
    async handler({ caller, query: { conversationId, limit, beforeCreatedAt } }) {
      await orStoreAway(asParticipant(changeConversations.membership(caller, conversationId)))
      const page = await orStoreAway(messages.page(caller, conversationId, { limit, beforeCreatedAt }))
      return { raw: await orStoreAway(describeAll(messages, caller, page.messages)) }
    },
  })

const postMessage = ({ appAuth, messages, sendMessage }: CompatibleMessageRouteDeps): Route =>
  route({
    method: 'post',
    path: '/messages',
    tag,
    summary: 'Say something in a conversation',
    auth: appAuth,
    body: CompatibleMessageBody,
    bodyTexts: 'app',
    bodyLimit: MESSAGE_BYTES,
    replies: [
      { status: 200, description: 'It was said before.', schema: CompatibleMessage, bare },
      { status: 201, description: 'It is said.', schema: CompatibleMessage, bare },
    ],
    problems: [...problems, 'not_a_participant', 'client_id_reused', 'rate_limited'],
    async handler({ caller, body }) {
      const { message, isNew } = await orStoreAway(asParticipant(sendMessage({ caller, ...body })))
      const [raw] = await orStoreAway(describeAll(messages, caller, [message]))
      return { status: isNew ? 201 : 200, raw }
    },
  })

const syncMessages = ({ appAuth, messages, chatSync }: CompatibleMessageRouteDeps): Route =>
  route({
    method: 'get',
    path: '/sync/messages',
    tag,
    summary: 'Messages since a cursor or a time, the oldest first',
    description:
      'New ones, and those that were edited or deleted. A cursor acknowledges what is before it: of that the phone of the session is pushed nothing more. A time acknowledges nothing.',
    auth: appAuth,
    query: CompatibleSyncQuery,
    replies: [{ status: 200, description: 'A page of messages.', schema: CompatibleSyncAnswer, bare }],
    problems,
    async handler({ caller, query: { since, limit } }) {
      const found = await orStoreAway(chatSync.messagesSince(caller, since, limit))
      return {
        raw: {
          messages: await orStoreAway(describeAll(messages, caller, found.messages)),
          ...{ nextCursor: found.next, more: found.more },
          ...(found.isReset && { reset: true }),
        },
      }
    },
  })

/** Whoever is not in a conversation is told the same of one that is not there. */
const asParticipant = <T>(asked: Promise<T>): Promise<T> =>
  asked.catch((error: unknown) => {
    if (!(error instanceof Problem) || error.code !== 'unknown_conversation') throw error
    throw new Problem('not_a_participant', { cause: error })
  })

async function describeAll(
  messages: MessageStore,
  caller: AppCaller,
  found: readonly ChatMessage[],
): Promise<z.output<typeof CompatibleMessage>[]> {
  const receipts = await messages.otherReceipts(caller, found)
  return found.map((message) => describeCompatibleMessage(caller.tenantId, message, receipts.get(message.id)))
}
