import type { Knex } from 'knex'
import { createAttention } from './chat/attention.ts'
import { createChangeConversations } from './chat/change-conversations.ts'
import { createChangeMessages } from './chat/change-messages.ts'
import { createChatNews } from './chat/chat-news.ts'
import { createChatPruneStore } from './chat/chat-prune-store.ts'
import { createChatUserStore } from './chat/chat-user-store.ts'
import { createConversationListStore } from './chat/conversation-list-store.ts'
import { createConversationStore } from './chat/conversation-store.ts'
import { createEventWaits } from './chat/event-waits.ts'
import { createMessageChangeStore } from './chat/message-change-store.ts'
import { createMessageStore } from './chat/message-store.ts'
import { createNoticeAllowance } from './chat/notice-allowance.ts'
import { createNoticeFactsStore } from './chat/notice-facts-store.ts'
import { createOutboxStore } from './chat/outbox-store.ts'
import { createPushSettingsStore } from './chat/push-settings-store.ts'
import { REALTIME_SETTINGS, type RealtimeSettings } from './chat/realtime/realtime-settings.ts'
import { createTickets } from './chat/realtime/tickets.ts'
import { createReceiptStore } from './chat/receipt-store.ts'
import { createRecheck } from './chat/recheck.ts'
import { createRecheckStore } from './chat/recheck-store.ts'
import { createRelay } from './chat/relay.ts'
import { createRelayStore } from './chat/relay-store.ts'
import { createSendMessage } from './chat/send-message.ts'
import { createSendStore } from './chat/send-store.ts'
import { createSync } from './chat/sync.ts'
import { createSyncCursors } from './chat/sync-cursor.ts'
import { createUserEventStore } from './chat/user-event-store.ts'
import type { Config } from './config/config.ts'
import type { UnreadCount } from './devices/badges.ts'
import type { Clock } from './lib/clock.ts'
import type { Keyring } from './lib/keyring.ts'
import type { RateLimit } from './limits/rate-limits.ts'
import type { TenantPushes } from './limits/tenant-pushes.ts'
import type { Events } from './observability/events.ts'
import type { EnqueueMessages } from './push/submit-message.ts'
import type { Signals } from './signals/signals.ts'

/** What delivery asks of chat: whether a push that is about to be sent is still wanted. */
export const createChatRecheck = (core: { db: Knex; clock: Clock; unreadCount: UnreadCount }) =>
  createRecheck({ ...core, recheckStore: createRecheckStore(core.db), outbox: createOutboxStore(core.db) })

interface ChatDeps {
  db: Knex
  config: Config
  keyring: Keyring
  clock: Clock
  events: Events
  signals: Signals
  enqueueMessages: EnqueueMessages
  tenantPushes: TenantPushes
  chatMessages: RateLimit
  unreadCount: UnreadCount
  /** Aborts when the process must stop waiting for anything. */
  stopping: AbortController
  realtimeSettings?: Partial<RealtimeSettings> | undefined
}

/** Wires chat: conversations, what each has to be told, and the pushes that follow from it. */
export function createChat(core: ChatDeps) {
  const { db, signals, events, config } = core
  const onError = (part: string) => (error: Error) => events.backgroundError(part, error)
  const chatNews = createChatNews(signals, onError('chat-news'))
  const attention = createAttention(signals, onError('attention'))
  const chatOutbox = createOutboxStore(db)
  const noticeAllowance = createNoticeAllowance(core)
  const relay = createRelay({
    ...{ ...core, attention, noticeAllowance, outbox: chatOutbox, privacy: config.pushPrivacy },
    noticeFacts: createNoticeFactsStore(db),
    relayStore: createRelayStore(db),
  })
  const stores = {
    chatUsers: createChatUserStore(db),
    conversations: createConversationStore(db),
    conversationList: createConversationListStore(db),
    messages: createMessageStore(db),
    messageChanges: createMessageChangeStore(db),
    receipts: createReceiptStore(db),
    userEvents: createUserEventStore(db),
    pushSettings: createPushSettingsStore(db),
  }
  const shared = { ...core, ...stores, chatNews, syncCursors: createSyncCursors(core.keyring) }
  const eventWaits = createEventWaits({
    ...{ ...shared, stopping: core.stopping.signal, onError: onError('event-waits') },
  })
  return {
    ...stores,
    attention,
    chatNews,
    chatOutbox,
    chatPrune: createChatPruneStore(db),
    syncCursors: shared.syncCursors,
    relayChat: relay,
    sendMessage: createSendMessage({ ...shared, sendStore: createSendStore(db) }),
    changeConversations: createChangeConversations(shared),
    changeMessages: createChangeMessages(shared),
    eventWaits,
    chatSync: createSync({ ...shared, eventWaits }),
    realtimeSettings: { ...REALTIME_SETTINGS, ...core.realtimeSettings },
    tickets: createTickets(core),
  }
}
