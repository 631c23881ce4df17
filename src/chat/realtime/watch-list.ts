import { type Person, userIdOf } from '../chat.ts'
import type { Connection } from './connection.ts'
import type { PresenceStatus } from './presence-keys.ts'
import { frame } from './server-frames.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Somebody of whom sockets of this process want to know whether he is there. */
interface Watched extends Person {
  tenantId: string
  watchers: Set<Connection>
  /** What all of them were told; undefined: nothing yet. */
  told: PresenceStatus | undefined
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
    const text = frame('user.presence', describe(person.tenantId, person, person.heard))
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
            ...{ told: undefined, heard: 'offline', timer: undefined },
          })
        }
      }
    },

    /** Found by looking. Who has been heard of just now is left alone: what was looked up may be older than that. */
    find(extensionId: number, status: PresenceStatus): void {
      if (watched.get(extensionId)?.timer === undefined) hear(extensionId, status)
    },

    /**
     * What is told to who has begun to watch somebody, who was found to be so. Where others watch him, too, it is what they were told:
     * only then is a change news to all of them.
     */
    begin(extensionId: number, found: PresenceStatus): PresenceStatus {
      const person = watched.get(extensionId)
      if (person?.told !== undefined) return person.told
      if (person) {
        person.told = found
        if (person.timer === undefined) person.heard = found
      }
      return found
    },
  }
}
export type WatchList = ReturnType<typeof createWatchList>
