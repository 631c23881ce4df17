import type { UnreadCount } from '../devices/badges.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { SECOND } from '../lib/units.ts'
import type { ChatCaller, ChatEvent, ChatMessage } from './chat.ts'
import type { ChatNewsBus } from './chat-news.ts'
import type { ConversationListStore, ConversationView } from './conversation-list-store.ts'
import type { EventWaits } from './event-waits.ts'
import type { ReceiptStore } from './receipt-store.ts'
import type { SyncCursors } from './sync-cursor.ts'
import type { EventPage, UserEventStore } from './user-event-store.ts'

export interface SyncDeps {
  userEvents: UserEventStore
  conversationList: ConversationListStore
  receipts: ReceiptStore
  chatNews: ChatNewsBus
  syncCursors: SyncCursors
  eventWaits: EventWaits
  unreadCount: UnreadCount
  clock: Clock
}

export interface SyncAnswer {
  events: ChatEvent[]
  next: string
  more: boolean
  badge: number
  /** There: begin anew with these, the newest. */
  conversations?: ConversationView[]
}
export interface SyncWish {
  since?: string | undefined
  limit: number
  waitMs: number
  /** Aborts when nobody waits any more. */
  signal: AbortSignal
}

export type SinceWhen = { cursor: string } | { moment: Date }
/** Messages from a place or a moment on, for clients that know nothing else. */
export interface MessagesSince {
  /** Each once, as it is now. */
  messages: ChatMessage[]
  next: string
  more: boolean
  /** What was asked for is older than what is kept: these are not all. */
  isReset: boolean
}

/** Clocks differ, and a moment is no place: rather twice than never. */
const MARGIN_MS = 5 * SECOND
/** As many conversations as a first page of the list has. */
const NEWEST = 20
/** Somebody who takes no part in chat yet. */
const NOTHING: EventPage = { events: [], newest: 0, floor: 0 }

/** What an extension has to be told, from where its client is. Whoever brings a cursor has what is before it, and so acknowledges it. */
export function createSync(deps: SyncDeps) {
  const { conversationList, syncCursors, eventWaits, unreadCount } = deps
  const { read, placeOf, acknowledge, startOf } = createSyncSteps(deps)

  const nextEvents = async (caller: ChatCaller, since: number, { limit, waitMs, signal }: SyncWish) => {
    const { tenantId, extensionId } = caller
    const wait = eventWaits.open({ tenantId, extensionId, since }, waitMs, signal)
    try {
      await wait.begin()
      for (;;) {
        const news = wait.next()
        const page = await read(caller, since, limit)
        if (page.events.length > 0 || wait.isOver()) return page
        await news
      }
    } finally {
      wait.close()
    }
  }

  const beginAnew = async (caller: ChatCaller): Promise<SyncAnswer> => {
    const { tenantId, extensionId } = caller
    // In this order: what happens in between comes with the next events.
    const { newest } = await read(caller, 0, 0)
    const { conversations } = await conversationList.list(caller, { limit: NEWEST })
    const badge = await unreadCount(tenantId, extensionId)
    return { events: [], next: syncCursors.of(extensionId, newest), more: false, badge, conversations }
  }

  return {
    async sync(caller: ChatCaller, wish: SyncWish): Promise<SyncAnswer> {
      const { tenantId, extensionId } = caller
      if (wish.since === undefined) return beginAnew(caller)
      const since = placeOf(caller, wish.since)
      const first = await read(caller, since, wish.limit)
      if (isElsewhere(first, since)) return beginAnew(caller)
      await acknowledge(caller, since)
      const hasToWait = first.events.length === 0 && wish.waitMs > 0
      const page = hasToWait ? await nextEvents(caller, since, wish) : first
      const last = page.events.at(-1)?.seq ?? since
      const badge = await unreadCount(tenantId, extensionId)
      return { events: page.events, next: syncCursors.of(extensionId, last), more: last < page.newest, badge }
    },

    /** A moment acknowledges nothing: a client whose clock is fast would do it with what it has never seen. */
    async messagesSince(
      caller: ChatCaller,
      from: SinceWhen | undefined,
      limit: number,
    ): Promise<MessagesSince> {
      const asked = await startOf(caller, from)
      const found = await read(caller, asked, limit)
      const isReset = isElsewhere(found, asked)
      if (from && 'cursor' in from && !isReset) await acknowledge(caller, asked)
      const { events, newest } = isReset ? await read(caller, found.floor, limit) : found
      const last = events.at(-1)?.seq ?? (isReset ? newest : asked)
      const messages = new Map(events.flatMap(({ message }) => (message ? [[message.id, message]] : [])))
      return {
        messages: [...messages.values()],
        ...{ next: syncCursors.of(caller.extensionId, last), more: last < newest, isReset },
      }
    },
  }
}
export type Sync = ReturnType<typeof createSync>

/** Forgotten meanwhile; or from a database that was put back to an earlier state. */
const isElsewhere = ({ floor, newest }: EventPage, since: number): boolean => since < floor || since > newest

function createSyncSteps({ userEvents, receipts, chatNews, syncCursors, clock }: SyncDeps) {
  const placeOf = ({ extensionId }: ChatCaller, cursor: string): number => {
    const seq = syncCursors.read(extensionId, cursor)
    if (seq !== undefined) return seq
    const sentence = 'since must be a cursor of an earlier answer'
    throw new Problem('invalid_request', { sentence, field: 'since' })
  }
  return {
    placeOf,

    async read({ extensionId }: ChatCaller, since: number, limit: number): Promise<EventPage> {
      const [page] = await userEvents.read([{ extensionId, since, limit }])
      return page ?? NOTHING
    },

    async acknowledge(caller: ChatCaller, seq: number): Promise<void> {
      const events = await receipts.ack(caller, seq, new Date(clock.now()))
      void chatNews.tellEvents(caller.tenantId, events)
    },

    async startOf(caller: ChatCaller, from: SinceWhen | undefined): Promise<number> {
      if (!from) return 0
      if ('cursor' in from) return placeOf(caller, from.cursor)
      const moment = Math.min(from.moment.getTime(), clock.now()) - MARGIN_MS
      return userEvents.seqBefore(caller.extensionId, new Date(moment))
    },
  }
}
