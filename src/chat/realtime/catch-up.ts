import type { ChatUserStore } from '../chat-user-store.ts'
import type { Connection } from './connection.ts'
import type { EventStream } from './event-stream.ts'

/** Finds what hints would have said that got lost. */
export function createCatchUp({
  chatUsers,
  stream,
}: {
  chatUsers: Pick<ChatUserStore, 'seqs'>
  stream: EventStream
}) {
  return async function catchUp(connections: readonly Connection[]): Promise<void> {
    if (connections.length === 0) return
    const ids = new Set(connections.map(({ holder }) => holder.extensionId))
    const newest = await chatUsers.seqs([...ids])
    for (const connection of connections) {
      stream.hear(connection, newest.get(connection.holder.extensionId) ?? 0)
      // Also what was known and could not be read.
      stream.consider(connection)
    }
  }
}
export type CatchUp = ReturnType<typeof createCatchUp>
