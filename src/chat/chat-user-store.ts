import type { Knex } from 'knex'
import { type Person, userIdOf } from './chat.ts'

/** Extensions that take part in chat; a row comes with the first conversation. */
export function createChatUserStore(db: Knex) {
  return {
    async ensure(tenantId: string, extensionIds: readonly number[]): Promise<void> {
      if (extensionIds.length === 0) return
      const ids = [...new Set(extensionIds)].sort((a, b) => a - b)
      await db.raw(
        `INSERT INTO chat_users (extension_id, tenant_id, user_id)
         SELECT e.id, e.tenant_id, asked.user_id
         FROM unnest(?::bigint[], ?::uuid[]) AS asked (id, user_id)
         JOIN extensions e ON e.id = asked.id AND e.tenant_id = ?
         ORDER BY e.id
         ON CONFLICT (extension_id) DO NOTHING`,
        [ids, ids.map((id) => userIdOf(tenantId, id)), tenantId],
      )
    },

    /** The number of the newest event of each, for those that have any. */
    async seqs(extensionIds: readonly number[]): Promise<Map<number, number>> {
      const rows = await db('chat_users')
        .select('extension_id', 'sync_seq')
        .whereRaw('extension_id = ANY (?::bigint[])', [[...extensionIds]])
      return new Map(rows.map((row) => [row.extension_id as number, row.sync_seq as number]))
    },

    /** Extension ids of numbers, and of UUIDs as some clients know people; unknown ones are missing. */
    async idsOf(
      tenantId: string,
      { numbers = [], userIds = [] }: { numbers?: readonly string[]; userIds?: readonly string[] },
    ): Promise<Map<string, number>> {
      const { rows } = await db.raw<{ rows: { name: string; id: number }[] }>(
        `SELECT number AS name, id FROM extensions WHERE tenant_id = ? AND number = ANY (?::text[])
         UNION ALL
         SELECT user_id::text AS name, extension_id AS id FROM chat_users
         WHERE tenant_id = ? AND user_id = ANY (?::uuid[])`,
        [tenantId, [...numbers], tenantId, [...userIds]],
      )
      return new Map(rows.map(({ name, id }) => [name, id]))
    },

    /** Whom clients mean by these UUIDs; unknown ones are missing. */
    async people(tenantId: string, userIds: readonly string[]): Promise<Person[]> {
      const { rows } = await db.raw<{ rows: Person[] }>(
        `SELECT u.extension_id AS "extensionId", e.number FROM chat_users u JOIN extensions e ON e.id = u.extension_id
         WHERE u.tenant_id = ? AND u.user_id = ANY (?::uuid[])`,
        [tenantId, [...userIds]],
      )
      return rows
    },
  }
}
export type ChatUserStore = ReturnType<typeof createChatUserStore>
