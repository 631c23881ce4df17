import type { Clock } from '../../lib/clock.ts'
import type { ChatNewsBus } from '../chat-news.ts'
import type { ReceiptStore } from '../receipt-store.ts'
import type { Connection } from './connection.ts'

/**
 * Notes what a phone has. A client may say so after each event, many times a second; one note of a socket is under way at a time, and
 * what comes meanwhile goes with the next one, whose number says all that the others did.
 */
export function createAcks({
  receipts,
  chatNews,
  clock,
}: {
  receipts: Pick<ReceiptStore, 'ack'>
  chatNews: Pick<ChatNewsBus, 'tellEvents'>
  clock: Clock
}) {
  const store = async ({ holder }: Connection, seq: number): Promise<void> => {
    const events = await receipts.ack(holder, seq, new Date(clock.now()))
    if (events.length > 0) void chatNews.tellEvents(holder.tenantId, events)
  }

  const enqueue = (connection: Connection): NonNullable<Connection['ack']> => {
    const ack = { seq: 0, done: Promise.resolve() }
    const note = () => {
      connection.ack = undefined
      return store(connection, ack.seq)
    }
    ack.done = connection.lastAck.then(note, note)
    connection.lastAck = ack.done
    return ack
  }

  /** Rejects when the database does not take it. */
  return function acknowledge(connection: Connection, seq: number): Promise<void> {
    connection.ack ??= enqueue(connection)
    connection.ack.seq = Math.max(connection.ack.seq, seq)
    return connection.ack.done
  }
}
export type Acknowledge = ReturnType<typeof createAcks>
