import type { Knex } from 'knex'

/** The list of files: one is announced before it is written and marked before it is removed, so that none can be left over. */
export function createStoredFileStore(db: Knex) {
  return {
    /** The file is about to be written. */
    async announce(key: string, tenantId: string, now: Date): Promise<void> {
      await db('stored_files').insert({ key, tenant_id: tenantId, state: 'writing', changed_at: now })
    },

    /** The file stays. False: it took so long that the sweep has given it up. */
    async keep(tenantId: string, key: string, sizeBytes: number, now: Date): Promise<boolean> {
      const kept = await db('stored_files')
        .where({ tenant_id: tenantId, key, state: 'writing' })
        .update({ state: 'kept', size_bytes: sizeBytes, changed_at: now })
      return kept === 1
    },

    /** How many bytes a tenant keeps. */
    async sizeOf(tenantId: string): Promise<number> {
      const { rows } = await db.raw<{ rows: { bytes: number }[] }>(
        `SELECT coalesce(sum(size_bytes), 0)::float8 AS bytes FROM stored_files
         WHERE tenant_id = ? AND state = 'kept'`,
        [tenantId],
      )
      return rows[0]?.bytes ?? 0
    },

    /** Nobody gets at these files any more: they may go. */
    async markRemoved(tenantId: string, keys: readonly string[], now: Date): Promise<void> {
      await db('stored_files')
        .where({ tenant_id: tenantId })
        .whereIn('key', keys)
        .update({ state: 'removed', changed_at: now })
    },

    /** As long as no message has it; one whose commit went well without our hearing of it keeps its file. */
    async giveUp(tenantId: string, key: string, now: Date): Promise<boolean> {
      // Looks at the row alone, because that is what is looked at again after waiting for a commit that is under way.
      const marked = await db('stored_files')
        .where({ tenant_id: tenantId, key, state: 'writing' })
        .update({ state: 'removed', changed_at: now })
      return marked === 1
    },

    /** Marks what a crash has left before that time: files that were never finished, and files that no message has. */
    async giveUpLeftovers(before: Date, now: Date): Promise<void> {
      await db.raw(
        `UPDATE stored_files SET state = 'removed', changed_at = ? WHERE key IN (
           SELECT key FROM stored_files f
           WHERE changed_at < ? AND (state = 'writing' OR state = 'kept'
             AND NOT EXISTS (SELECT FROM voicemail_messages m WHERE m.file_key = f.key))
           FOR UPDATE SKIP LOCKED
         )`,
        [now, before],
      )
    },

    /** Files that are to go, in the order of their keys. */
    async removed(limit: number, after: string | undefined): Promise<string[]> {
      const rows = await db('stored_files')
        .select('key')
        .where({ state: 'removed' })
        .modify((query) => void (after !== undefined && query.where('key', '>', after)))
        .orderBy('key')
        .limit(limit)
      return rows.map(({ key }: { key: string }) => key)
    },

    /** The file is gone. */
    async forget(key: string): Promise<void> {
      await db('stored_files').where({ key, state: 'removed' }).del()
    },
  }
}
export type StoredFileStore = ReturnType<typeof createStoredFileStore>
