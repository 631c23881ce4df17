import { toError } from '../../lib/error.ts'
import type { ExtensionNews, ExtensionNewsBus } from '../../signals/extension-news.ts'
import type { Subscription } from '../../signals/signals.ts'
import type { ChatEvent } from '../chat.ts'
import type { ChatNews, ChatNewsBus } from '../chat-news.ts'
import type { Connection } from './connection.ts'

/** What is done with what the processes of a tenant tell each other. */
export interface HubListeners {
  /** There are events of the extension up to this one. */
  onEvents(connections: Iterable<Connection>, seq: number): void
  /** This is one of them. */
  onEvent(connections: Iterable<Connection>, event: ChatEvent): void
  onTyping(connections: Iterable<Connection>, news: NonNullable<ChatNews['typing']>, tenantId: string): void
  onPresence(news: NonNullable<ChatNews['presence']>): void
  onCall(connections: Iterable<Connection>, news: ExtensionNews): void
  /** Something may have been said that nobody has heard. */
  onGap(connections: readonly Connection[]): void
}

export interface HubDeps {
  chatNews: ChatNewsBus
  extensionNews: ExtensionNewsBus
  onError: (error: Error) => void
}

/** Of a tenant, by extension id. */
type People = Map<number, Set<Connection>>
interface Tenant {
  people: People
  subscriptions: readonly Subscription[]
}

/** The sockets of this process, and who of them is meant by what is told. A tenant without any is not followed. */
export function createHub({ chatNews, extensionNews, onError }: HubDeps, listeners: HubListeners) {
  const tenants = new Map<string, Tenant>()
  const all = new Set<Connection>()

  const hear = (tenantId: string, people: People, news: ChatNews | undefined): void => {
    if (news === undefined) {
      listeners.onGap([...people.values()].flatMap((own) => [...own]))
      return
    }
    for (const [extensionId, seq] of news.events ?? []) {
      const own = people.get(extensionId)
      if (own) listeners.onEvents(own, seq)
    }
    if (news.presence) listeners.onPresence(news.presence)
    if (news.typing) {
      for (const extensionId of news.typing.to) {
        const own = people.get(extensionId)
        if (own) listeners.onTyping(own, news.typing, tenantId)
      }
    }
  }

  chatNews.followOwn((tenantId, events) => {
    const people = tenants.get(tenantId)?.people
    if (!people) return
    for (const { event, recipients } of events) {
      for (const { extensionId, eventSeq: seq } of recipients) {
        const own = people.get(extensionId)
        if (own) listeners.onEvent(own, { seq, ...event })
      }
    }
  })

  const hearCall = (people: People, news: ExtensionNews): void => {
    for (const own of people.values()) {
      const [first] = own
      if (first?.holder.extension === news.extension) listeners.onCall(own, news)
    }
  }

  const follow = (tenantId: string): Tenant => {
    const people: People = new Map()
    const chat = chatNews.follow(tenantId, (news) => hear(tenantId, people, news))
    const calls = extensionNews.follow(tenantId, (news) => hearCall(people, news))
    // What was said before the store listened was not heard.
    chat.ready.then(
      () => hear(tenantId, people, undefined),
      (error: unknown) => onError(toError(error)),
    )
    calls.ready.catch((error: unknown) => onError(toError(error)))
    const tenant = { people, subscriptions: [chat, calls] }
    tenants.set(tenantId, tenant)
    return tenant
  }

  return {
    all: (): ReadonlySet<Connection> => all,
    of: ({ tenantId, extensionId }: Connection['holder']): ReadonlySet<Connection> =>
      tenants.get(tenantId)?.people.get(extensionId) ?? new Set(),

    add(connection: Connection): void {
      const { tenantId, extensionId } = connection.holder
      const { people } = tenants.get(tenantId) ?? follow(tenantId)
      const own = people.get(extensionId)
      if (own) own.add(connection)
      else people.set(extensionId, new Set([connection]))
      all.add(connection)
    },

    remove(connection: Connection): void {
      all.delete(connection)
      const { tenantId, extensionId } = connection.holder
      const tenant = tenants.get(tenantId)
      const own = tenant?.people.get(extensionId)
      own?.delete(connection)
      if (!tenant || own?.size !== 0) return
      tenant.people.delete(extensionId)
      if (tenant.people.size > 0) return
      for (const subscription of tenant.subscriptions) subscription.close()
      tenants.delete(tenantId)
    },
  }
}
export type Hub = ReturnType<typeof createHub>
