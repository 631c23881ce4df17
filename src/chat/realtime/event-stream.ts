import { toError } from '../../lib/error.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { ChatEvent } from '../chat.ts'
import type { SyncCursors } from '../sync-cursor.ts'
import type { EventPage, Since, UserEventStore } from '../user-event-store.ts'
import type { Connection } from './connection.ts'
import { createEventTexts } from './server-frames.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Events that one socket is sent in one go: the others get their turn in between. */
const PAGE = 200
/** Rows of one look at the database, and looks at the same time. */
const MOST_ROWS = 5_000
const PARALLEL = 2

/** Of somebody who takes no part in chat yet. */
const NOTHING: EventPage = { events: [], newest: 0, floor: 0 }

export interface EventStreamDeps {
  userEvents: Pick<UserEventStore, 'read'>
  syncCursors: SyncCursors
  writer: SocketWriter
  metrics: Pick<Metrics, 'catchUpReads'>
  onError: (error: Error) => void
}

/**
 * Brings each socket what its extension has to be told: every event once, in the order of their numbers. A hint only says up to where
 * there is something; what is sent is read from where the socket stands, so it does not matter which hints come, or whether any do.
 */
export function createEventStream({ userEvents, syncCursors, writer, metrics, onError }: EventStreamDeps) {
  const due = new Set<Connection>()
  let reading = 0
  let isScheduled = false

  const send =
    (connection: Connection, textOf: ReturnType<typeof createEventTexts>) =>
    (event: ChatEvent | 'reset'): void => {
      if (event === 'reset') writer.say(connection, 'reset', {})
      else writer.event(connection, event.type, textOf(connection.holder, event), () => consider(connection))
    }

  const consider = (connection: Connection): void => {
    const { isOpen, isHeld, isReading, pausedAt, mustRead, known, cursor } = connection
    if (!isOpen || isHeld || isReading || pausedAt !== undefined) return
    if (!mustRead && known <= cursor) return
    due.add(connection)
    schedule()
  }

  const schedule = (): void => {
    if (isScheduled || reading >= PARALLEL || due.size === 0) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      void readSome()
    })
  }

  const readSome = async (): Promise<void> => {
    const asked = takeDue(due)
    if (asked.length === 0) return
    reading += 1
    schedule()
    metrics.catchUpReads.inc()
    const pages = await userEvents
      .read(asked.map(({ since }) => since))
      .catch((error: unknown) => onError(toError(error)))
    reading -= 1
    const textOf = createEventTexts(syncCursors)
    asked.forEach(({ since, connections }, index) => {
      for (const connection of connections) {
        connection.isReading = false
        if (pages) {
          deliver(connection, since.since, pages[index], send(connection, textOf))
          consider(connection)
        } else {
          // Whoever looks for what was missed considers it again: at once would only add to what ails the database.
          connection.known = Math.max(connection.known, since.since + since.limit)
        }
      }
    })
    schedule()
  }

  return {
    /** There are events up to this one. */
    hear(connection: Connection, seq: number): void {
      if (seq <= connection.known) return
      connection.known = seq
      consider(connection)
    },

    /** What was known and could not be read is asked for again. */
    consider,

    /** It was told all up to here, and is told nothing before it has said from where it wants to go on. */
    begin(connection: Connection, seq: number): void {
      connection.cursor = seq
      connection.start = seq
      connection.known = Math.max(connection.known, seq)
    },

    /** From here on, or from where it stands. What was sent on this very line is not sent again without need. */
    goOn(connection: Connection, since?: number): void {
      if (since !== undefined && (connection.isHeld || since < connection.start)) {
        connection.cursor = since
        connection.start = since
        connection.mustRead = true
      }
      connection.isHeld = false
      consider(connection)
    },
  }
}
export type EventStream = ReturnType<typeof createEventStream>

/** Sends what was read from a place, as much as is taken. */
function deliver(
  connection: Connection,
  since: number,
  { events, newest, floor }: EventPage = NOTHING,
  send: (event: ChatEvent | 'reset') => void,
): void {
  // The client has asked for another place meanwhile.
  if (connection.cursor !== since) return
  // Forgotten meanwhile; or from a database that was put back to an earlier state.
  if (since < floor || since > newest) {
    send('reset')
    connection.cursor = newest
    connection.start = newest
    return
  }
  for (const event of events) {
    if (!connection.isOpen || connection.pausedAt !== undefined) break
    connection.cursor = event.seq
    send(event)
  }
  connection.known = Math.max(connection.known, newest)
}

interface Asked {
  since: Since
  connections: Connection[]
}

/** The phones of one extension mostly stand at the same place, and then share what is read. */
function takeDue(due: Set<Connection>): Asked[] {
  const asked = new Map<string, Asked>()
  let rows = 0
  for (const connection of due) {
    if (rows >= MOST_ROWS) break
    due.delete(connection)
    if (!connection.isOpen) continue
    const { holder, cursor, known, mustRead } = connection
    const limit = mustRead ? PAGE : Math.min(PAGE, known - cursor)
    const key = `${holder.extensionId} ${cursor}`
    const same = asked.get(key) ?? {
      since: { extensionId: holder.extensionId, since: cursor, limit: 0 },
      connections: [],
    }
    asked.set(key, same)
    rows += Math.max(0, limit - same.since.limit)
    same.since.limit = Math.max(same.since.limit, limit)
    same.connections.push(connection)
    connection.isReading = true
    connection.mustRead = false
    // It is seen in what is read; what is heard from now on is more.
    connection.known = cursor
  }
  return [...asked.values()]
}
