import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import type { ChatCaller, ChatMessage } from './chat.ts'
import type { ChatNewsBus } from './chat-news.ts'
import type { Changed, MessageChangeStore } from './message-change-store.ts'
import type { MessageStore } from './message-store.ts'
import type { ReceiptStore } from './receipt-store.ts'

export interface ChangeMessagesDeps {
  messages: MessageStore
  messageChanges: MessageChangeStore
  receipts: ReceiptStore
  chatNews: ChatNewsBus
  clock: Clock
}

/** What becomes of messages, and who is told of it. */
export function createChangeMessages({
  messages,
  messageChanges,
  receipts,
  chatNews,
  clock,
}: ChangeMessagesDeps) {
  const now = () => new Date(clock.now())
  const find = async (caller: ChatCaller, id: string): Promise<ChatMessage> => {
    const message = await messages.find(caller, id)
    if (!message) throw new Problem('unknown_message')
    return message
  }
  const placeOf = async (caller: ChatCaller, conversationId: string, id: string): Promise<number> => {
    const message = await messages.find(caller, id)
    if (message?.conversationId === conversationId) return message.seq
    throw new Problem('unknown_message', { field: 'message_id' })
  }
  const changedBy = ({ tenantId }: ChatCaller, changed: Changed): ChatMessage => {
    switch (changed.is) {
      case 'changed':
        void chatNews.tellEvents(tenantId, changed.events)
        return changed.message
      case 'foreign':
        throw new Problem('not_your_message')
      case 'deleted':
        throw new Problem('message_deleted')
      case 'unknown':
        throw new Problem('unknown_message')
    }
  }
  return {
    find,

    edit: async (caller: ChatCaller, id: string, content: string): Promise<ChatMessage> =>
      changedBy(caller, await messageChanges.edit(caller, id, content, now())),

    /** Whoever asks again, because the answer was lost, is answered the same. */
    async remove(caller: ChatCaller, id: string): Promise<ChatMessage> {
      const changed = await messageChanges.remove(caller, id, now())
      if (changed.is === 'deleted') return find(caller, id)
      const message = changedBy(caller, changed)
      void chatNews.nudge()
      return message
    },

    /** @returns up to which message everything is read now */
    async read(
      caller: ChatCaller,
      conversationId: string,
      upTo: { seq: number } | { messageId: string },
    ): Promise<number> {
      const seq = 'seq' in upTo ? upTo.seq : await placeOf(caller, conversationId, upTo.messageId)
      const read = await receipts.read(caller, conversationId, seq, now())
      if (!read) throw new Problem('unknown_conversation')
      if (read.events.length > 0) {
        void chatNews.tellEvents(caller.tenantId, read.events)
        void chatNews.nudge()
      }
      return read.seq
    },
  }
}
export type ChangeMessages = ReturnType<typeof createChangeMessages>
