import { toError } from '../../lib/error.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { EventPage, Since, UserEventStore } from '../user-event-store.ts'
import type { Connection } from './connection.ts'

/** Events that one socket is sent in one go: the others get their turn in between. */
const PAGE = 200
/** Rows of one look at the database, and looks at the same time. */
const MOST_ROWS = 5_000
const PARALLEL = 2

export interface EventReadsDeps {
  userEvents: Pick<UserEventStore, 'read'>
  metrics: Pick<Metrics, 'catchUpReads'>
  onError: (error: Error) => void
}

/** Looks at the database for those who are due. */
export function createEventReads(
  { userEvents, metrics, onError }: EventReadsDeps,
  due: Set<Connection>,
  listeners: {
    onRead(connection: Connection, since: number, page: EventPage | undefined): void
    /** There are more of them than one look takes, or looks at a time. */
    onMore(): void
  },
) {
  let reading = 0

  const read = async (asked: readonly Asked[]): Promise<void> => {
    reading += 1
    metrics.catchUpReads.inc()
    const pages = await userEvents
      .read(asked.map(({ since }) => since))
      .catch((error: unknown) => onError(toError(error)))
    reading -= 1
    asked.forEach(({ since, connections }, index) => {
      for (const connection of connections) {
        connection.isReading = false
        // Whoever looks for what was missed considers it again: at once would only add to what ails the database.
        if (!pages) connection.known = Math.max(connection.known, since.since + since.limit)
        else listeners.onRead(connection, since.since, pages[index])
      }
    })
    if (due.size > 0) listeners.onMore()
  }

  return {
    begin(): void {
      if (reading >= PARALLEL) return
      const asked = takeDue(due)
      if (asked.length > 0) void read(asked)
      if (due.size > 0) listeners.onMore()
    },
  }
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
