import type { ChatEvent } from '../chat.ts'
import type { SyncCursors } from '../sync-cursor.ts'
import type { EventPage } from '../user-event-store.ts'
import { hasNextAtHand, keepAtHand } from './at-hand.ts'
import type { Connection } from './connection.ts'
import { createEventReads, type EventReadsDeps } from './event-reads.ts'
import { createEventTexts } from './server-frames.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Events that are sent before whoever else waits for the processor gets it: some milliseconds. */
const MOST_AT_ONCE = 500
/** Of somebody who takes no part in chat yet. */
const NOTHING: EventPage = { events: [], newest: 0, floor: 0 }

export interface EventStreamDeps extends EventReadsDeps {
  syncCursors: SyncCursors
  writer: SocketWriter
}

/**
 * Brings each socket what its extension has to be told: every event once, in the order of their numbers. A hint only says up to where
 * there is something; what is sent is read from where the socket stands, so it does not matter which hints come, or whether any do. What
 * this process has committed itself need not be read, as long as it is the very next for the socket.
 */
export function createEventStream(deps: EventStreamDeps) {
  const { syncCursors, writer } = deps
  const textOf = createEventTexts(syncCursors)
  /** Those whose next events are at hand, and those for whom they have to be read. */
  const ready = new Set<Connection>()
  const due = new Set<Connection>()

  const sendTo =
    (connection: Connection) =>
    (event: ChatEvent | 'reset'): void => {
      if (event === 'reset') writer.say(connection, 'reset', {})
      else writer.event(connection, event.type, textOf(connection.holder, event), () => consider(connection))
    }

  const consider = (connection: Connection): void => {
    const { isOpen, isHeld, isReading, pausedAt, mustRead, known, cursor } = connection
    if (!isOpen || isHeld || isReading || pausedAt !== undefined) return
    if (!mustRead && known <= cursor) return
    const [to, from] = !mustRead && hasNextAtHand(connection) ? [ready, due] : [due, ready]
    from.delete(connection)
    to.add(connection)
    schedule()
  }

  const schedule = createSoon(() => {
    sendReady()
    reads.begin()
  })

  const sendReady = (): void => {
    let sent = 0
    for (const connection of ready) {
      if (sent >= MOST_AT_ONCE) {
        schedule()
        return
      }
      ready.delete(connection)
      const { atHand = [] } = connection
      connection.atHand = undefined
      sent += atHand.length
      sendAll(connection, atHand, sendTo(connection))
      consider(connection)
    }
  }

  const reads = createEventReads(deps, due, {
    onRead(connection, since, page) {
      deliver(connection, since, page, sendTo(connection))
      consider(connection)
    },
    onMore: schedule,
  })

  return {
    /** There are events up to this one. */
    hear(connection: Connection, seq: number): void {
      if (seq <= connection.known) return
      connection.known = seq
      consider(connection)
    },

    /** There is this one, and here it is. */
    offer(connection: Connection, event: ChatEvent): void {
      keepAtHand(connection, event)
      connection.known = Math.max(connection.known, event.seq)
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
  sendAll(connection, events, send)
  connection.known = Math.max(connection.known, newest)
}

function sendAll(
  connection: Connection,
  events: readonly ChatEvent[],
  send: (event: ChatEvent) => void,
): void {
  for (const event of events) {
    if (!connection.isOpen || connection.pausedAt !== undefined) return
    connection.cursor = event.seq
    send(event)
  }
}

/** Does it in a turn of its own, once for all who ask for it before. */
function createSoon(work: () => void): () => void {
  let isScheduled = false
  return () => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      work()
    })
  }
}
