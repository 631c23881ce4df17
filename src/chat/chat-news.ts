import { toError } from '../lib/error.ts'
import { MINUTE } from '../lib/units.ts'
import type { Signals, Subscription } from '../signals/signals.ts'
import type { ToldEvent } from './user-event-store.ts'

/**
 * What the processes of a tenant tell each other. A hint only: `events` says that there are some, up to these numbers, and the database
 * has them. The others are of the moment, and nobody misses one that got lost.
 */
export interface ChatNews {
  /** Extension ids, with the number of the newest event of each. */
  events?: readonly (readonly [extensionId: number, seq: number])[]
  typing?: {
    conversationId: string
    extensionId: number
    number: string
    isTyping: boolean
    to: readonly number[]
  }
  presence?: { extensionId: number; number: string; status: 'online' | 'offline' }
}

type OwnListener = (tenantId: string, events: readonly ToldEvent[]) => void

/** The message matters, not the key. */
const KEPT_MS = MINUTE
/** A message this long would not be carried; whoever hears of it looks for himself. */
const MOST_EVENTS = 300

const channelOf = (tenantId: string) => `chat.${tenantId}`
const OUTBOX = 'chat-outbox'

/** One channel per tenant: the people of a PBX are few, and one message tells all of a group. */
export function createChatNews(signals: Pick<Signals, 'put' | 'subscribe'>, onError: (error: Error) => void) {
  const say = (channel: string, value: string): Promise<void> =>
    signals
      .put({ key: channel, value, ttlMs: KEPT_MS, channel })
      .catch((error: unknown) => onError(toError(error)))

  const own = new Set<OwnListener>()

  return {
    /** Never rejects: what is told here is known to the database, or is of the moment. */
    tell: (tenantId: string, news: ChatNews): Promise<void> => say(channelOf(tenantId), JSON.stringify(news)),

    /** Events were committed. Never rejects. */
    async tellEvents(tenantId: string, events: readonly ToldEvent[]): Promise<void> {
      for (const listener of own) listener(tenantId, events)
      const newest = new Map<number, number>()
      for (const { recipients } of events) {
        for (const { extensionId, eventSeq } of recipients)
          newest.set(extensionId, Math.max(eventSeq, newest.get(extensionId) ?? 0))
      }
      const all = [...newest]
      for (let from = 0; from < all.length; from += MOST_EVENTS) {
        await say(channelOf(tenantId), JSON.stringify({ events: all.slice(from, from + MOST_EVENTS) }))
      }
    },

    /** Told at once of what this very process has committed, and has at hand. */
    followOwn: (listener: OwnListener): void => void own.add(listener),

    /** `undefined`: something happened that was too long to be told. */
    follow: (tenantId: string, listener: (news: ChatNews | undefined) => void): Subscription =>
      signals.subscribe(channelOf(tenantId), (_key, value) =>
        listener(value === undefined ? undefined : (JSON.parse(value) as ChatNews)),
      ),

    /** There is something in the outbox. Never rejects: somebody looks there anyway. */
    nudge: (): Promise<void> => say(OUTBOX, ''),
    onNudge: (listener: () => void): Subscription => signals.subscribe(OUTBOX, listener),
  }
}
export type ChatNewsBus = ReturnType<typeof createChatNews>
