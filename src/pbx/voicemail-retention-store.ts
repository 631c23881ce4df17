import type { Knex } from 'knex'

/** Messages that are over their box's time, and are gone now. */
export interface PrunedVoicemail {
  tenantId: string
  /** To be erased. */
  file: string
  /** Whose number of unread messages is another one now. */
  extensionIds: number[]
}

export function createVoicemailRetentionStore(db: Knex) {
  return {
    /** Deletes messages that are older than their box keeps them, over all tenants; at most so many. */
    async prune(now: Date, limit: number): Promise<PrunedVoicemail[]> {
      const { rows } = await db.raw<{ rows: PrunedVoicemail[] }>(
        `WITH old AS MATERIALIZED (
           SELECT m.id, m.read_at IS NULL AS is_unread FROM voicemail_messages m
           JOIN voicemail_boxes b ON b.id = m.box_id
           WHERE b.retention_days IS NOT NULL AND m.recorded_at < ?::timestamptz - b.retention_days * interval '1 day'
           ORDER BY m.id LIMIT ? FOR UPDATE OF m SKIP LOCKED
         ), gone AS (
           DELETE FROM voicemail_messages m USING old WHERE m.id = old.id
           RETURNING m.tenant_id, m.box_id, m.file_key, old.is_unread
         ), marked AS (
           UPDATE stored_files SET state = 'removed', changed_at = ?
           WHERE key IN (SELECT file_key FROM gone)
         )
         SELECT tenant_id AS "tenantId", file_key AS file,
           ARRAY(SELECT extension_id FROM voicemail_box_extensions l WHERE is_unread AND l.box_id = gone.box_id)
             AS "extensionIds"
         FROM gone`,
        [now, limit, now],
      )
      // An array of bigint comes as text.
      return rows.map((row) => ({ ...row, extensionIds: row.extensionIds.map(Number) }))
    },
  }
}
export type VoicemailRetentionStore = ReturnType<typeof createVoicemailRetentionStore>
