import { within } from '../../lib/deadline.ts'
import { toError } from '../../lib/error.ts'
import { createTurns } from '../../lib/turns.ts'
import { SECOND } from '../../lib/units.ts'
import type { Signals } from '../../signals/signals.ts'
import type { Person } from '../chat.ts'
import type { ChatNews, ChatNewsBus } from '../chat-news.ts'
import type { Connection } from './connection.ts'
import { createPresenceKeys, type PresenceStatus } from './presence-keys.ts'
import type { RealtimeSettings } from './realtime-settings.ts'
import type { SocketWriter } from './socket-writer.ts'
import { createWatchList } from './watch-list.ts'

/** A node that died says nothing any more, and its people are away after this many of its rounds. */
const ROUNDS_KEPT = 3
/** A stop does not wait longer for saying who has left. */
const LEAVING_MS = SECOND

export interface PresenceDeps {
  signals: Pick<Signals, 'get' | 'put'>
  chatNews: Pick<ChatNewsBus, 'tell'>
  writer: SocketWriter
  settings: RealtimeSettings
  onError: (error: Error) => void
}

/**
 * Who has a socket open, anywhere. Shown to those who asked, and to nothing else: whether a phone is pushed is decided by what it has
 * acknowledged. News travel on the channel of the tenant; what gets lost is found by looking at the keys again.
 */
export function createPresence({ signals, chatNews, writer, settings, onError }: PresenceDeps) {
  const keys = createPresenceKeys(signals, ROUNDS_KEPT * settings.presenceRefreshMs, onError)
  const watchList = createWatchList({ writer, delayMs: settings.presenceDelayMs })
  /** Who is here, with how many sockets. */
  const here = new Map<number, { holder: Connection['holder']; count: number }>()
  const { announce, announced } = createAnnounce(keys, chatNews)
  const statusOf = (found: ReadonlySet<number> | undefined, extensionId: number): PresenceStatus =>
    here.has(extensionId) || found?.has(extensionId) === true ? 'online' : 'offline'

  return {
    async joined({ holder }: Connection): Promise<void> {
      const known = here.get(holder.extensionId)
      if (known) known.count += 1
      else here.set(holder.extensionId, { holder, count: 1 })
      if (!known) await announce(holder, 'online')
    },

    async left(connection: Connection): Promise<void> {
      watchList.remove(connection)
      const { holder } = connection
      const known = here.get(holder.extensionId)
      if (!known) return
      known.count -= 1
      if (known.count > 0) return
      here.delete(holder.extensionId)
      await announce(holder, 'offline')
    },

    async hear({ extensionId, status }: NonNullable<ChatNews['presence']>): Promise<void> {
      const known = here.get(extensionId)
      watchList.hear(extensionId, known ? 'online' : status)
      // Gone from another node, and still here.
      if (known && status === 'offline') await announce(known.holder, 'online')
    },

    /** From now on it is told when these come and go, instead of those before. Tells how they are now. */
    async watch(connection: Connection, people: readonly Person[]): Promise<Map<Person, PresenceStatus>> {
      watchList.set(connection, people)
      const found = await keys.online(people.map(({ extensionId }) => extensionId))
      const begin = ({ extensionId }: Person) => watchList.begin(extensionId, statusOf(found, extensionId))
      return new Map(people.map((person) => [person, begin(person)]))
    },

    /** Says who is here, and looks at those of whom somebody wants to know. */
    async refresh(): Promise<void> {
      await keys.note([...here.keys()], 'online')
      const people = [...watchList.people()].map(({ extensionId }) => extensionId)
      const found = await keys.online(people)
      if (found) for (const extensionId of people) watchList.find(extensionId, statusOf(found, extensionId))
    },

    /** Resolves when it was said who has left, or cannot be said in time. */
    idle: (): Promise<void> =>
      within(LEAVING_MS, 'saying who has left', announced()).catch((error: unknown) =>
        onError(toError(error)),
      ),
  }
}
export type Presence = ReturnType<typeof createPresence>

/** One after the other for each person, so that the last word is the last that happened. Never rejects. */
function createAnnounce(keys: ReturnType<typeof createPresenceKeys>, chatNews: PresenceDeps['chatNews']) {
  const inTurn = createTurns()
  const underWay = new Set<Promise<void>>()
  return {
    announce(
      { tenantId, extensionId, extension: number }: Connection['holder'],
      status: PresenceStatus,
    ): Promise<void> {
      const said = inTurn(String(extensionId), async () => {
        await keys.note([extensionId], status)
        await chatNews.tell(tenantId, { presence: { extensionId, number, status } })
      }).finally(() => underWay.delete(said))
      underWay.add(said)
      return said
    },
    announced: async (): Promise<void> => void (await Promise.all(underWay)),
  }
}
