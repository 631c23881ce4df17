import type { AppTokenHolder } from '../../http/app-caller.ts'
import type { Clock } from '../../lib/clock.ts'
import { Problem } from '../../lib/problem.ts'
import type { Attention } from '../attention.ts'
import type { ChatNewsBus } from '../chat-news.ts'
import type { ChatUserStore } from '../chat-user-store.ts'
import type { MessageStore } from '../message-store.ts'
import type { ReceiptStore } from '../receipt-store.ts'
import type { SendMessage } from '../send-message.ts'
import type { SyncCursors } from '../sync-cursor.ts'
import type { UserEventStore } from '../user-event-store.ts'
import type { Acknowledge } from './acks.ts'
import type { ClientFields, ClientFrameType } from './client-frames.ts'
import type { Connection } from './connection.ts'
import type { EventStream } from './event-stream.ts'
import type { Presence } from './presence.ts'
import { describeMessage } from './server-frames.ts'
import type { SocketWriter } from './socket-writer.ts'
import type { TellTyping } from './typing.ts'
import { describe } from './watch-list.ts'

export interface FrameHandlerDeps {
  sendMessage: SendMessage
  messages: Pick<MessageStore, 'find'>
  receipts: Pick<ReceiptStore, 'read' | 'deliver'>
  userEvents: Pick<UserEventStore, 'seqsOf'>
  chatUsers: Pick<ChatUserStore, 'people'>
  chatNews: Pick<ChatNewsBus, 'tellEvents'>
  syncCursors: SyncCursors
  attention: Attention
  /** The phone with this key, as we know it. */
  findDevice: (holder: AppTokenHolder, deviceKey: string) => Promise<string | undefined>
  /** Throws for a token that is not good. */
  readToken: (token: string) => Promise<AppTokenHolder>
  acknowledge: Acknowledge
  tellTyping: TellTyping
  presence: Presence
  stream: EventStream
  writer: SocketWriter
  clock: Clock
}

/** What an answer carries, if it carries anything. */
type Answer = object | undefined
type Handler<Type extends ClientFrameType> = (
  connection: Connection,
  fields: ClientFields<Type>,
) => Promise<Answer>
export type FrameHandlers = { [Type in ClientFrameType]: Handler<Type> }

/** What each frame of a client does. Whatever it may not do is thrown as a Problem. */
export const createFrameHandlers = (deps: FrameHandlerDeps): FrameHandlers => ({
  ...messageHandlers(deps),
  ...selfHandlers(deps),
  async hello(connection, { since }) {
    if (since === undefined || since === null) return void deps.stream.goOn(connection)
    const seq = deps.syncCursors.read(connection.holder.extensionId, since)
    if (seq === undefined)
      throw new Problem('invalid_request', { sentence: 'since must be a cursor of yours' })
    deps.stream.goOn(connection, seq)
    return undefined
  },
  async ack(connection, { seq }) {
    await deps.acknowledge(connection, seq)
    return undefined
  },
  ping: async () => undefined,
})

function messageHandlers(deps: FrameHandlerDeps) {
  const find = async ({ holder }: Connection, messageId: string) => {
    const message = await deps.messages.find(holder, messageId)
    if (!message) throw new Problem('unknown_message')
    return message
  }
  return {
    'message.send': async ({ holder }, { replyTo, mentions, ...fields }) => {
      const { message } = await deps.sendMessage({
        ...{ caller: holder, ...fields },
        ...{ replyTo: replyTo ?? undefined, mentions: mentions ?? undefined },
      })
      return { message: describeMessage(holder.tenantId, message) }
    },

    /** Tells the sender; and the phone that says so has what was said up to here, which is what keeps a push from it. */
    'message.delivered': async (connection, { messageId }) => {
      const { holder } = connection
      const { conversationId, seq } = await find(connection, messageId)
      const events = await deps.receipts.deliver(holder, conversationId, seq, new Date(deps.clock.now()))
      if (events && events.length > 0) void deps.chatNews.tellEvents(holder.tenantId, events)
      const eventSeqs = await deps.userEvents.seqsOf(holder.extensionId, [messageId])
      const eventSeq = eventSeqs.get(messageId)
      if (eventSeq !== undefined) await deps.acknowledge(connection, eventSeq)
      return undefined
    },

    'message.read': async (connection, { messageId }) => {
      const { holder } = connection
      const { conversationId, seq } = await find(connection, messageId)
      const read = await deps.receipts.read(holder, conversationId, seq, new Date(deps.clock.now()))
      if (!read) throw new Problem('unknown_conversation')
      if (read.events.length > 0) void deps.chatNews.tellEvents(holder.tenantId, read.events)
      return undefined
    },

    typing: async (connection, fields) => {
      if (!(await deps.tellTyping(connection, fields))) throw new Problem('unknown_conversation')
      return undefined
    },
  } satisfies Partial<FrameHandlers>
}

function selfHandlers(deps: FrameHandlerDeps) {
  return {
    'presence.subscribe': async (connection, { userIds }) => {
      const { tenantId } = connection.holder
      connection.isSubscribed = true
      const people = await deps.chatUsers.people(tenantId, [...new Set(userIds)])
      const statuses = await deps.presence.watch(connection, people)
      return { users: [...statuses].map(([person, status]) => describe(tenantId, person, status)) }
    },

    'app.state': async (connection, { state }) => {
      const { holder } = connection
      const isOpen = state === 'foreground'
      connection.attentiveAt = isOpen ? deps.clock.now() : undefined
      if (holder.deviceKey === undefined) return undefined
      connection.deviceId ??= await deps.findDevice(holder, holder.deviceKey)
      if (connection.deviceId !== undefined) await deps.attention.note(connection.deviceId, isOpen)
      return undefined
    },

    auth: async (connection, { token }) => {
      const holder = await deps.readToken(token)
      const { tenantId, extensionId } = connection.holder
      const isSame = holder.tenantId === tenantId && holder.extensionId === extensionId
      if (!isSame) throw new Problem('invalid_token', { sentence: 'the token is somebody else’s' })
      if (holder.deviceKey !== connection.holder.deviceKey) connection.deviceId = undefined
      connection.holder = holder
      connection.isExpiryTold = false
      return { expiresAt: holder.tokenExpiresAt.toISOString() }
    },
  } satisfies Partial<FrameHandlers>
}
