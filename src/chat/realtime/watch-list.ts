import { type Person, userIdOf } from '../chat.ts'
import type { Connection } from './connection.ts'
import type { PresenceStatus } from './presence-keys.ts'
import { frame } from './server-frames.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Somebody of whom sockets of this process want to know whether he is there. */
interface Watched extends Person {
  tenantId: string
  watchers: Set<Connection>
  /** What they were told, and what was heard since. */
  told: PresenceStatus
  heard: PresenceStatus
  timer: NodeJS.Timeout | undefined
}

export const describe = (tenantId: string, { extensionId, number }: Person, status: PresenceStatus) => ({
  ...{ userId: userIdOf(tenantId, extensionId), extension: number, status },
})

/** Which sockets are told of whom; of a change only when it has lasted, because networks of phones come and go. */
export function createWatchList({ writer, delayMs }: { writer: SocketWriter; delayMs: number }) {
  const watched = new Map<number, Watched>()

  const tell = (person: Watched): void => {
    person.timer = undefined
    if (person.heard === person.told) return
    person.told = person.heard
    const text = frame('user.presence', describe(person.tenantId, person, person.told))
    for (const watcher of person.watchers) writer.mention(watcher, 'user.presence', text)
  }

  const remove = (connection: Connection): void => {
    for (const extensionId of connection.watching) {
      const person = watched.get(extensionId)
      person?.watchers.delete(connection)
      if (person?.watchers.size !== 0) continue
      clearTimeout(person.timer)
      watched.delete(extensionId)
    }
    connection.watching = []
  }

  const hear = (extensionId: number, status: PresenceStatus): void => {
    const person = watched.get(extensionId)
    if (!person) return
    person.heard = status
    person.timer ??= setTimeout(tell, delayMs, person)
  }

  return {
    people: (): Iterable<Person> => watched.values(),
    hear,
    remove,

    /** These, instead of those before. */
    set(connection: Connection, people: readonly Person[]): void {
      remove(connection)
      connection.watching = people.map(({ extensionId }) => extensionId)
      const { tenantId } = connection.holder
      for (const { extensionId, number } of people) {
        const known = watched.get(extensionId)
        if (known) known.watchers.add(connection)
        else {
          watched.set(extensionId, {
            ...{ extensionId, number, tenantId, watchers: new Set([connection]) },
            ...{ told: 'offline', heard: 'offline', timer: undefined },
          })
        }
      }
    },

    /** How somebody is, which is told to who has begun to watch him; to the others it is a change as any. */
    begin(connection: Connection, extensionId: number, status: PresenceStatus): void {
      const person = watched.get(extensionId)
      const isOnlyOne = person?.watchers.size === 1 && person.watchers.has(connection)
      if (isOnlyOne && !person.timer) Object.assign(person, { told: status, heard: status })
      else hear(extensionId, status)
    },
  }
}
export type WatchList = ReturnType<typeof createWatchList>
