import type { Knex } from 'knex'

/** In a conversation `c` nobody is left. */
const OF_NOBODY = `NOT EXISTS (SELECT FROM participants p WHERE p.conversation_id = c.id AND p.left_at IS NULL)`

/** What extensions leave behind that have left a conversation, or are gone altogether. */
export function createChatPruneStore(db: Knex) {
  const deleted = async (statement: string, bindings: (number | Date)[]): Promise<number> => {
    const { rowCount } = await db.raw<{ rowCount: number }>(statement, bindings)
    return rowCount
  }
  return {
    /**
     * Forgets what was said where nobody is any more, then the conversations; returns how many of both there were. Bit by bit, because a
     * long conversation in one piece would take longer than a query may.
     */
    async ofNobody(limit: number): Promise<number> {
      const messages = await deleted(
        `DELETE FROM messages WHERE id IN (
           SELECT m.id FROM conversations c JOIN messages m ON m.conversation_id = c.id WHERE ${OF_NOBODY} LIMIT ?
         )`,
        [limit],
      )
      if (messages > 0) return messages
      return deleted(
        `DELETE FROM conversations WHERE id IN (SELECT c.id FROM conversations c WHERE ${OF_NOBODY} LIMIT ?)`,
        [limit],
      )
    },

    /** Who has left long ago and comes back is new; returns how many there were. */
    left: (before: Date, limit: number): Promise<number> =>
      deleted(
        `DELETE FROM participants WHERE (conversation_id, extension_id) IN (
           SELECT conversation_id, extension_id FROM participants WHERE left_at < ? LIMIT ?
         )`,
        [before, limit],
      ),

    /** A group whose owner is gone altogether gets the one who has been there longest. */
    async passOn(): Promise<void> {
      await db.raw(
        `UPDATE participants p SET role = 'owner' FROM (
           SELECT DISTINCT ON (p.conversation_id) p.conversation_id, p.extension_id
           FROM conversations c JOIN participants p ON p.conversation_id = c.id AND p.left_at IS NULL
           WHERE c.kind = 'group' AND NOT EXISTS (
             SELECT FROM participants o WHERE o.conversation_id = c.id AND o.left_at IS NULL AND o.role = 'owner')
           ORDER BY p.conversation_id, p.joined_at, p.extension_id
         ) heir
         WHERE p.conversation_id = heir.conversation_id AND p.extension_id = heir.extension_id`,
      )
    },
  }
}
export type ChatPruneStore = ReturnType<typeof createChatPruneStore>
