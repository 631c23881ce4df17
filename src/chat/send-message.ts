import { createBatcher } from '../lib/batcher.ts'
import { Problem } from '../lib/problem.ts'
import type { RateLimit } from '../limits/rate-limits.ts'
import type { ChatMessage } from './chat.ts'
import type { ChatNewsBus } from './chat-news.ts'
import type { NewMessage, SendStore, Sent } from './send-store.ts'

/** What is said in one moment is committed together; the size bounds what one commit has to write for a large group. */
const BATCH = 50
/** Transactions at the same time. */
const LANES = 4

export interface SendMessageDeps {
  sendStore: SendStore
  chatNews: ChatNewsBus
  /** Of a tenant and an extension. */
  chatMessages: RateLimit
}

/**
 * Says something. Resolves when it is committed, together with all that has to follow from it; `isNew` is false when the sender has sent
 * the same under the same `clientId` before.
 *
 * @throws `unknown_conversation`, `client_id_reused`, `invalid_request` for a `replyTo` of another conversation, `rate_limited`
 */
export function createSendMessage({ sendStore, chatNews, chatMessages }: SendMessageDeps) {
  const send = async (items: NewMessage[]): Promise<Sent[]> => {
    const { sent, events } = await sendStore.send(items)
    const tenantOf = new Map(items.map(({ conversationId, caller }) => [conversationId, caller.tenantId]))
    const byTenant = Map.groupBy(events, ({ event }) => tenantOf.get(event.conversationId) ?? '')
    for (const [tenantId, own] of byTenant) void chatNews.tellEvents(tenantId, own)
    if (events.length > 0) void chatNews.nudge()
    return sent
  }
  const lanes = Array.from({ length: LANES }, () => createBatcher(send, { size: BATCH, parallel: 1 }))
  // Two transactions of one conversation would only wait for each other. The end of a UUID of any version is random.
  const laneOf = ({ conversationId }: NewMessage) =>
    lanes[Number.parseInt(conversationId.slice(-4), 16) % LANES] as (typeof lanes)[number]
  return async (item: NewMessage): Promise<{ message: ChatMessage; isNew: boolean }> => {
    await chatMessages.take(item.caller.tenantId, item.caller.extension)
    const sent = await laneOf(item).add(item)
    if (sent.is !== 'new') chatMessages.giveBack(item.caller.tenantId, item.caller.extension)
    return judge(sent)
  }
}
export type SendMessage = ReturnType<typeof createSendMessage>

function judge(sent: Sent): { message: ChatMessage; isNew: boolean } {
  switch (sent.is) {
    case 'new':
    case 'known':
      return { message: sent.message, isNew: sent.is === 'new' }
    case 'conflict':
      throw new Problem('client_id_reused')
    case 'bad_reply':
      throw new Problem('invalid_request', {
        ...{ sentence: 'reply_to must be a message of this conversation', field: 'reply_to' },
      })
    case 'unknown':
      throw new Problem('unknown_conversation')
  }
}
