import { z } from 'zod'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { requestHost } from '../http/request-host.ts'
import { type AuthScheme, nobody, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { type ChangeConversations, listedIn, namedIn } from './change-conversations.ts'
import { userIdOf } from './chat.ts'
import {
  CompatibleConversation,
  CompatibleConversationBody,
  CompatibleConversationsQuery,
  CompatibleLoginBody,
  CompatibleUser,
  describeCompatibleConversation,
} from './compatible-schemas.ts'
import type { ConversationListStore } from './conversation-list-store.ts'

/** What this surface needs of the app's logins and profiles. */
export interface CompatibleRouteDeps {
  appAuth: AuthScheme<AppCaller>
  /** With all the limits of a login. */
  nameLogin(
    name: string,
    password: string,
    from: { address: string; host: string; signal: AbortSignal },
  ): Promise<{ token: string }>
  profiles: { find(tenantId: string, extensionId: number): Promise<{ name: string } | undefined> }
  conversationList: ConversationListStore
  changeConversations: ChangeConversations
}

const tag = 'Messenger'
const bare = true

/** Logins, people and conversations in the paths and names that the client of a messenger knows, without an envelope. */
export const compatibleRoutes = (deps: CompatibleRouteDeps): Route[] => [
  register,
  logIn(deps),
  readMe(deps),
  listConversations(deps),
  openConversation(deps),
]

const register = route({
  method: 'post',
  path: '/auth/register',
  tag,
  summary: 'Refused: extensions are made by the PBX',
  auth: nobody,
  replies: [{ status: 403, description: 'Nobody registers himself.', schema: z.null() }],
  problems: ['registration_closed'],
  async handler() {
    throw new Problem('registration_closed')
  },
})

const logIn = ({ nameLogin }: CompatibleRouteDeps): Route =>
  route({
    method: 'post',
    path: '/auth/login',
    tag,
    summary: 'Log in with extension and SIP password',
    description: 'The token is good for 7 days. `POST /api/v1/app/auth` can do more.',
    auth: nobody,
    body: CompatibleLoginBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'Logged in.', schema: z.object({ token: z.string() }), bare }],
    problems: ['invalid_credentials', 'login_locked', 'rate_limited', 'store_unavailable'],
    async handler({ body: { username, password }, address, headers, signal }) {
      return { raw: await nameLogin(username, password, { address, host: requestHost(headers), signal }) }
    },
  })

const readMe = ({ appAuth, profiles }: CompatibleRouteDeps): Route =>
  route({
    method: 'get',
    path: '/me',
    tag,
    summary: 'Who is logged in',
    auth: appAuth,
    replies: [{ status: 200, description: 'Oneself.', schema: CompatibleUser, bare }],
    problems: [...APP_PROBLEMS, 'unknown_extension'],
    async handler({ caller: { tenantId, extensionId, extension } }) {
      const profile = await orStoreAway(profiles.find(tenantId, extensionId))
      if (!profile) throw new Problem('unknown_extension')
      const { name } = profile
      return { raw: { id: userIdOf(tenantId, extensionId), username: extension, name } }
    },
  })

const listConversations = ({ appAuth, conversationList }: CompatibleRouteDeps): Route =>
  route({
    method: 'get',
    path: '/conversations',
    tag,
    summary: 'The conversations, the last active first',
    auth: appAuth,
    query: CompatibleConversationsQuery,
    replies: [{ status: 200, description: 'The newest.', schema: z.array(CompatibleConversation), bare }],
    problems: [...APP_PROBLEMS, 'invalid_request'],
    async handler({ caller, query: { limit } }) {
      const { conversations } = await orStoreAway(conversationList.list(caller, { limit }))
      return { raw: conversations.map((view) => describeCompatibleConversation(caller.extensionId, view)) }
    },
  })

const openConversation = ({ appAuth, changeConversations }: CompatibleRouteDeps): Route =>
  route({
    method: 'post',
    path: '/conversations',
    tag,
    summary: 'Talk with somebody, or make a group',
    auth: appAuth,
    body: CompatibleConversationBody,
    bodyTexts: 'app',
    replies: [
      { status: 200, description: 'The two have talked before.', schema: CompatibleConversation, bare },
      { status: 201, description: 'It is new.', schema: CompatibleConversation, bare },
    ],
    problems: [...APP_PROBLEMS, 'unknown_extension', 'conversation_full'],
    async handler({ caller, body }) {
      const { id, isNew } = await orStoreAway(open(changeConversations, caller, body))
      const view = await orStoreAway(changeConversations.view(caller, id))
      return {
        status: isNew ? 201 : 200,
        raw: describeCompatibleConversation(caller.extensionId, view),
      }
    },
  })

async function open(
  { openDirect, createGroup }: ChangeConversations,
  caller: AppCaller,
  wanted: z.output<typeof CompatibleConversationBody>,
): Promise<{ id: string; isNew: boolean }> {
  if (wanted.kind === 'direct') return openDirect(caller, namedIn('username', wanted.username))
  const id = await createGroup(caller, wanted.name, listedIn('usernames', wanted.usernames))
  return { id, isNew: true }
}
