import { z } from 'zod'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { type ChangeConversations, listedIn } from './change-conversations.ts'
import type { ChangeMessages } from './change-messages.ts'
import { ConversationAnswer, describeConversation } from './chat-schemas.ts'
import {
  conversationParams,
  ParticipantsBody,
  participantParams,
  ReadAnswer,
  ReadBody,
} from './conversation-schemas.ts'

export interface ParticipantRouteDeps {
  appAuth: AuthScheme<AppCaller>
  changeConversations: ChangeConversations
  changeMessages: ChangeMessages
}

const tag = 'Chat'
const path = '/api/v1/app/conversations/{id}'
const problems = [...APP_PROBLEMS, 'invalid_request', 'unknown_conversation'] as const
const done = { status: 200, schema: z.object({ status: z.literal('ok') }) }

/** Who is in a conversation, and how far he has read it. */
export const participantRoutes = (deps: ParticipantRouteDeps): Route[] => [
  addParticipants(deps),
  removeParticipant(deps),
  leaveConversation(deps),
  markRead(deps),
]

const addParticipants = ({ appAuth, changeConversations }: ParticipantRouteDeps): Route =>
  route({
    method: 'post',
    path: `${path}/participants`,
    tag,
    summary: 'Let more people into a group',
    description: 'They see what is said from now on. Who is there already stays as he is.',
    auth: appAuth,
    params: conversationParams,
    body: ParticipantsBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'As it is now.', schema: ConversationAnswer }],
    problems: [
      ...problems,
      ...(['not_the_owner', 'unknown_extension', 'conversation_direct', 'conversation_full'] as const),
    ],
    async handler({ caller, params: { id }, body }) {
      await orStoreAway(changeConversations.add(caller, id, listedIn('extensions', body.extensions)))
      const view = await orStoreAway(changeConversations.view(caller, id))
      return { data: describeConversation(caller.tenantId, view) }
    },
  })

const removeParticipant = ({ appAuth, changeConversations }: ParticipantRouteDeps): Route =>
  route({
    method: 'delete',
    path: `${path}/participants/{extension}`,
    tag,
    summary: 'Take somebody out of a group',
    auth: appAuth,
    params: participantParams,
    replies: [{ ...done, description: 'He is out.' }],
    problems: [...problems, 'not_the_owner', 'unknown_extension', 'conversation_direct'],
    async handler({ caller, params: { id, extension } }) {
      await orStoreAway(changeConversations.remove(caller, id, extension))
      return { data: { status: 'ok' } }
    },
  })

const leaveConversation = ({ appAuth, changeConversations }: ParticipantRouteDeps): Route =>
  route({
    method: 'post',
    path: `${path}/leave`,
    tag,
    summary: 'Leave a group',
    description: 'A group without an owner gets the one who has been there longest.',
    auth: appAuth,
    params: conversationParams,
    replies: [{ ...done, description: 'One is out.' }],
    problems: [...problems, 'conversation_direct'],
    async handler({ caller, params: { id } }) {
      await orStoreAway(changeConversations.leave(caller, id))
      return { data: { status: 'ok' } }
    },
  })

const markRead = ({ appAuth, changeMessages }: ParticipantRouteDeps): Route =>
  route({
    method: 'put',
    path: `${path}/read`,
    tag,
    summary: 'Everything up to a message was read',
    description: 'It only goes forward. The other phones of the extension put their notifications away.',
    auth: appAuth,
    params: conversationParams,
    body: ReadBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'How far it is read.', schema: ReadAnswer }],
    problems: [...problems, 'unknown_message'],
    handler: async ({ caller, params: { id }, body }) => ({
      data: { seq: await orStoreAway(changeMessages.read(caller, id, body)) },
    }),
  })
