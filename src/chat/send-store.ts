import type { Knex } from 'knex'
import { newId } from '../lib/ids.ts'
import type { ChatCaller, ChatMessage } from './chat.ts'
import { createOutboxStore, STAGE } from './outbox-store.ts'
import { type Conversation, createSendLookups, keyOf } from './send-lookup-store.ts'
import { createUserEventStore, type ToldEvent } from './user-event-store.ts'

export interface NewMessage {
  caller: ChatCaller
  conversationId: string
  clientId: string
  kind: string
  content: string
  replyTo?: string | undefined
  /** Numbers of extensions; those that are not in the conversation are left out. */
  mentions?: readonly string[] | undefined
}

/**
 * `new`, or the message that the sender has sent under the same id before; `conflict`: that one was another message. `unknown`: he has
 * no such conversation. `bad_reply`: there is no such message in it.
 */
export type Sent =
  | { is: 'new' | 'known'; message: ChatMessage }
  | { is: 'conflict' | 'unknown' | 'bad_reply' }

export interface SentBatch {
  sent: Sent[]
  events: ToldEvent[]
}

/** What is said in one moment is committed together: conversations first, then participants, then the numbers of the events. */
export function createSendStore(db: Knex) {
  return {
    send: (items: readonly NewMessage[]): Promise<SentBatch> =>
      db.transaction(async (trx) => {
        const lookups = createSendLookups(trx)
        const conversations = await lookups.lock(items)
        const known = await lookups.known(items)
        const replies = await lookups.conversationsOf(items.map(({ replyTo }) => replyTo))
        const sent: Sent[] = []
        const fresh: Fresh[] = []
        for (const item of items) {
          const conversation = conversations.get(item.conversationId)
          const before = known.get(keyOf(item))
          if (!conversation?.members.has(item.caller.extensionId)) sent.push({ is: 'unknown' })
          else if (before)
            sent.push(isSame(before, item) ? { is: 'known', message: before } : { is: 'conflict' })
          else if (item.replyTo && replies.get(item.replyTo) !== item.conversationId)
            sent.push({ is: 'bad_reply' })
          else {
            const message = toNew(item, conversation)
            known.set(keyOf(item), message)
            fresh.push({ message, conversation, tenantId: item.caller.tenantId })
            sent.push({ is: 'new', message })
          }
        }
        return { sent, events: await store(trx, fresh) }
      }),
  }
}
export type SendStore = ReturnType<typeof createSendStore>

interface Fresh {
  message: ChatMessage
  conversation: Conversation
  tenantId: string
}

/** What was edited or deleted since is not compared: it was another text once. */
const isSame = (before: ChatMessage, item: NewMessage): boolean =>
  before.editedAt !== undefined ||
  before.deletedAt !== undefined ||
  (before.content === item.content && before.kind === item.kind && before.replyTo === item.replyTo)

function toNew(item: NewMessage, conversation: Conversation): ChatMessage {
  conversation.lastSeq += 1
  // Each a millisecond after the one before, so that a page "before this moment" leaves none out.
  conversation.lastAt = Math.max(conversation.now, conversation.lastAt + 1)
  const sender = conversation.named.find(({ extensionId }) => extensionId === item.caller.extensionId)
  const mentioned = conversation.named.filter(({ number }) => item.mentions?.includes(number))
  return {
    id: newId(),
    conversationId: conversation.id,
    seq: conversation.lastSeq,
    senderId: item.caller.extensionId,
    senderNumber: item.caller.extension,
    senderName: sender?.name ?? '',
    clientId: item.clientId,
    kind: item.kind,
    content: item.content,
    ...(item.replyTo !== undefined && { replyTo: item.replyTo }),
    mentions: mentioned.map(({ extensionId }) => extensionId),
    createdAt: new Date(conversation.lastAt),
  }
}

async function store(trx: Knex, fresh: readonly Fresh[]): Promise<ToldEvent[]> {
  if (fresh.length === 0) return []
  const messages = fresh.map(({ message }) => message)
  await insertMessages(trx, messages)
  await moveConversations(trx, fresh)
  const at = new Date(Math.max(...messages.map(({ createdAt }) => createdAt.getTime())))
  const events = await createUserEventStore(trx).append(
    fresh.map(({ message, conversation }) => ({
      ...{ to: [...conversation.members], type: 'message.created', conversationId: conversation.id, message },
    })),
    at,
  )
  await createOutboxStore(trx).put(
    fresh.map(({ message, tenantId }, index) => ({
      ...{ messageId: message.id, stage: STAGE.first, tenantId, conversationId: message.conversationId },
      dueAt: message.createdAt,
      recipients: (events[index]?.recipients ?? []).filter(
        ({ extensionId }) => extensionId !== message.senderId,
      ),
    })),
  )
  return events
}

const insertMessages = (trx: Knex, messages: readonly ChatMessage[]) =>
  trx('messages').insert(
    messages.map((message) => ({
      id: message.id,
      conversation_id: message.conversationId,
      seq: message.seq,
      sender_id: message.senderId,
      sender_number: message.senderNumber,
      sender_name: message.senderName,
      client_id: message.clientId,
      kind: message.kind,
      content: message.content,
      reply_to: message.replyTo ?? null,
      mentions: message.mentions as number[],
      created_at: message.createdAt,
    })),
  )

async function moveConversations(trx: Knex, fresh: readonly Fresh[]): Promise<void> {
  const conversations = [...new Set(fresh.map(({ conversation }) => conversation))]
  await trx.raw(
    `UPDATE conversations c SET last_seq = n.seq, last_message_at = n.at
     FROM unnest(?::uuid[], ?::bigint[], ?::timestamptz[]) AS n (id, seq, at) WHERE c.id = n.id`,
    [
      conversations.map(({ id }) => id),
      conversations.map(({ lastSeq }) => lastSeq),
      conversations.map(({ lastAt }) => new Date(lastAt)),
    ],
  )
  const own = Map.groupBy(
    fresh.map(({ message }) => message),
    ({ conversationId, senderId }) => `${conversationId} ${senderId}`,
  )
  const counted = [...own.values()].flatMap(([first, ...rest]) =>
    first ? [{ ...first, count: rest.length + 1 }] : [],
  )
  await trx.raw(
    `UPDATE participants p SET own_since_read = p.own_since_read + n.count
     FROM unnest(?::uuid[], ?::bigint[], ?::int[]) AS n (conversation_id, extension_id, count)
     WHERE p.conversation_id = n.conversation_id AND p.extension_id = n.extension_id`,
    [
      counted.map(({ conversationId }) => conversationId),
      counted.map(({ senderId }) => senderId),
      counted.map(({ count }) => count),
    ],
  )
}
