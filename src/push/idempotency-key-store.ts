import type { Knex } from 'knex'

/** Keys of one DELETE: a few milliseconds. */
const BATCH = 5_000

/** The idempotency keys of the messages lane; they come with the pushes they were given for. */
export function createIdempotencyKeyStore(db: Knex) {
  return {
    /**
     * Forgets the keys of before `time` (ms since the epoch), but for those whose push is still owed: the same key would make a
     * push of the same id. Returns how many there were.
     */
    async deleteBefore(time: number): Promise<number> {
      let deleted = 0
      for (;;) {
        const { rowCount } = await db.raw<{ rowCount: number }>(
          `DELETE FROM idempotency_keys WHERE push_id = ANY (ARRAY (
             SELECT push_id FROM idempotency_keys WHERE created_at < ?
               AND NOT EXISTS (SELECT FROM pending_pushes WHERE pending_pushes.id = idempotency_keys.push_id)
             ORDER BY created_at LIMIT ? FOR UPDATE OF idempotency_keys SKIP LOCKED))`,
          [new Date(time), BATCH],
        )
        deleted += rowCount
        if (rowCount < BATCH) return deleted
      }
    },
  }
}
export type IdempotencyKeyStore = ReturnType<typeof createIdempotencyKeyStore>
