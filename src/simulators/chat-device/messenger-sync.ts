import { createTurns } from '../../lib/turns.ts'
import type { LocalMessage, SyncEvent } from './app-answers.ts'
import type { MergedFrom } from './device-timeline.ts'
import { attempt, type MessengerParts } from './messenger-parts.ts'

/** How far somebody is in a conversation. */
interface Receipt {
  conversationId: string
  extension: string
  seq: number
}

export type MessengerSync = ReturnType<typeof createMessengerSync>

/** How messages and receipts get into the store, and what follows from them. */
export function createMessengerSync(parts: MessengerParts) {
  const { api, center, disk, store, timeline } = parts
  const inTurn = createTurns()

  const merge = (messages: readonly LocalMessage[], via: MergedFrom): void => {
    const messageIds = store.merge(messages).map(({ id }) => id)
    if (messageIds.length > 0) timeline.note({ did: 'receive', via, messageIds })
    for (const { conversationId, id, isDeleted } of messages) {
      if (isDeleted) center.takeBack(conversationId, (messageId) => messageId === id)
    }
  }
  /** The person has read a conversation up to there, on whichever of his phones. */
  const wasRead = (conversationId: string, seq: number): void => {
    disk.readSeq.set(conversationId, Math.max(seq, disk.readSeq.get(conversationId) ?? 0))
    center.takeBack(conversationId, (messageId) => {
      const message = messageId === undefined ? undefined : store.get(messageId)
      return message !== undefined && message.seq <= seq
    })
  }
  /** The person's own phones tell each other what was read; others tell how far they are. */
  const takeReceipt = (type: string, receipt: Receipt, own: string): void => {
    const { conversationId, extension, seq } = receipt
    if (extension !== own) {
      const kind = type === 'message.read' ? 'read' : 'delivered'
      timeline.note({ did: 'receipt', receipt: kind, extension, conversationId, seq })
    } else if (type === 'message.read') wasRead(conversationId, seq)
  }
  const moveCursor = (value: string, seq: number): void => {
    // An answer that was on its way may be older than what came by the socket.
    if (!disk.cursor || seq >= disk.cursor.seq) disk.cursor = { value, seq }
  }
  const apply = (events: readonly SyncEvent[], extension: string): void => {
    const messages = events.flatMap(({ message }) => (message ? [message] : []))
    merge(messages, 'sync')
    for (const { conversation_id: conversationId, receipt, type } of events) {
      if (receipt) takeReceipt(type, { ...receipt, conversationId }, extension)
    }
  }
  /** Brings the cursor once more after the last events: only what lies before it is acknowledged. */
  const pull = async (token: string, extension: string, signal?: AbortSignal): Promise<number> => {
    for (let count = 0; ; ) {
      const answer = await api.sync(token, disk.cursor?.value, signal)
      for (const conversation of answer.conversations ?? []) {
        if (conversation.last_message) merge([conversation.last_message], 'sync')
        wasRead(conversation.id, conversation.last_read_seq)
      }
      apply(answer.events, extension)
      if (answer.reset) disk.cursor = { value: answer.next, seq: 0 }
      else moveCursor(answer.next, answer.events.at(-1)?.seq ?? disk.cursor?.seq ?? 0)
      count += answer.events.length
      if (answer.events.length > 0 || answer.more || answer.reset) continue
      center.setBadge(answer.badge)
      return count
    }
  }
  return {
    merge,
    wasRead,
    takeReceipt,
    moveCursor,
    /** Fetches everything that the phone does not have, one after the other. @returns Whether it succeeded. */
    catchUp: (why: string, signal?: AbortSignal): Promise<boolean> =>
      inTurn('sync', async () => {
        const events = await attempt(parts, 'sync', ({ token, extension }) => pull(token, extension, signal))
        if (events === undefined) return false
        timeline.note({ did: 'sync', why, events })
        return true
      }),
  }
}
