import type { z } from 'zod'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { type ChangeConversations, listedIn, namedIn } from './change-conversations.ts'
import { ConversationAnswer, describeConversation } from './chat-schemas.ts'
import type { ConversationListStore } from './conversation-list-store.ts'
import {
  ConversationQuery,
  ConversationsAnswer,
  OpenConversationBody,
  OwnSettingsBody,
  conversationParams as params,
  RenameBody,
  readCursor,
  toCursor,
} from './conversation-schemas.ts'

export interface ConversationRouteDeps {
  appAuth: AuthScheme<AppCaller>
  conversationList: ConversationListStore
  changeConversations: ChangeConversations
}

const tag = 'Chat'
const path = '/api/v1/app/conversations'
const problems = [...APP_PROBLEMS, 'invalid_request', 'unknown_conversation'] as const

/** The conversations of who is logged in. */
export const conversationRoutes = (deps: ConversationRouteDeps): Route[] => [
  listConversations(deps),
  openConversation(deps),
  readConversation(deps),
  renameConversation(deps),
  setConversation(deps),
]

const listConversations = ({ appAuth, conversationList }: ConversationRouteDeps): Route =>
  route({
    method: 'get',
    path,
    tag,
    summary: 'The conversations of the extension, the last active first',
    auth: appAuth,
    query: ConversationQuery,
    replies: [{ status: 200, description: 'A page of conversations.', schema: ConversationsAnswer }],
    problems: [...APP_PROBLEMS, 'invalid_request'],
    async handler({ caller, query: { limit, cursor } }) {
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const { conversations, next } = await orStoreAway(conversationList.list(caller, { limit, after }))
      return {
        data: {
          items: conversations.map((view) => describeConversation(caller.tenantId, view)),
          ...(next && { next_cursor: toCursor(next) }),
        },
      }
    },
  })

const openConversation = ({ appAuth, changeConversations }: ConversationRouteDeps): Route =>
  route({
    method: 'post',
    path,
    tag,
    summary: 'Talk with somebody, or make a group',
    description: 'Two people have one conversation of their own. Who makes a group is its owner.',
    auth: appAuth,
    body: OpenConversationBody,
    bodyTexts: 'app',
    replies: [
      { status: 200, description: 'The two have talked before.', schema: ConversationAnswer },
      { status: 201, description: 'It is new.', schema: ConversationAnswer },
    ],
    problems: [...APP_PROBLEMS, 'unknown_extension', 'conversation_full'],
    async handler({ caller, body }) {
      const { id, isNew } = await orStoreAway(open(changeConversations, caller, body))
      const view = await orStoreAway(changeConversations.view(caller, id))
      return { status: isNew ? 201 : 200, data: describeConversation(caller.tenantId, view) }
    },
  })

async function open(
  { openDirect, createGroup }: ChangeConversations,
  caller: AppCaller,
  wanted: z.output<typeof OpenConversationBody>,
): Promise<{ id: string; isNew: boolean }> {
  if (wanted.kind === 'direct') return openDirect(caller, namedIn('extension', wanted.extension))
  const id = await createGroup(caller, wanted.title, listedIn('extensions', wanted.extensions))
  return { id, isNew: true }
}

const readConversation = ({ appAuth, changeConversations }: ConversationRouteDeps): Route =>
  route({
    method: 'get',
    path: `${path}/{id}`,
    tag,
    summary: 'A conversation',
    auth: appAuth,
    params,
    replies: [{ status: 200, description: 'As the extension sees it.', schema: ConversationAnswer }],
    problems,
    async handler({ caller, params: { id } }) {
      const view = await orStoreAway(changeConversations.view(caller, id))
      return { data: describeConversation(caller.tenantId, view) }
    },
  })

const renameConversation = ({ appAuth, changeConversations }: ConversationRouteDeps): Route =>
  route({
    method: 'patch',
    path: `${path}/{id}`,
    tag,
    summary: 'Give a group another title',
    auth: appAuth,
    params,
    body: RenameBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'As it is now.', schema: ConversationAnswer }],
    problems: [...problems, 'not_the_owner', 'conversation_direct'],
    async handler({ caller, params: { id }, body }) {
      await orStoreAway(changeConversations.rename(caller, id, body.title))
      const view = await orStoreAway(changeConversations.view(caller, id))
      return { data: describeConversation(caller.tenantId, view) }
    },
  })

const setConversation = ({ appAuth, changeConversations }: ConversationRouteDeps): Route =>
  route({
    method: 'put',
    path: `${path}/{id}/settings`,
    tag,
    summary: 'Say what of a conversation is pushed to oneself',
    description: 'What is not given stays.',
    auth: appAuth,
    params,
    body: OwnSettingsBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'As it is now.', schema: ConversationAnswer }],
    problems,
    async handler({ caller, params: { id }, body }) {
      const change = { notify: body.notify, mutedUntil: body.muted_until }
      await orStoreAway(changeConversations.setOwn(caller, id, change))
      const view = await orStoreAway(changeConversations.view(caller, id))
      return { data: describeConversation(caller.tenantId, view) }
    },
  })
