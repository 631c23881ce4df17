import type { Knex } from 'knex'
import { createStoredFileStore } from '../storage/stored-file-store.ts'

/** Takes an extension away so that who gets its number next finds nothing of who had it. */
export function createExtensionRemovalStore(db: Knex) {
  return {
    /**
     * With its devices, their tokens, its sessions and links, the voicemail boxes that are nobody else's, and its part in call
     * records; a record goes when no other extension was in the call. The keys of files that are to be erased. Undefined when there
     * is none of this number.
     */
    remove: (tenantId: string, number: string, now: Date): Promise<{ files: string[] } | undefined> =>
      db.transaction(async (trx) => {
        const extension = await trx('extensions')
          .first('id')
          .where({ tenant_id: tenantId, number })
          .forUpdate()
        if (!extension) return undefined
        const files = await removeBoxes(trx, tenantId, extension.id, now)
        await leaveHistory(trx, tenantId, number)
        await trx('extensions').where({ tenant_id: tenantId, id: extension.id }).del()
        return { files }
      }),
  }
}
export type ExtensionRemovalStore = ReturnType<typeof createExtensionRemovalStore>

async function removeBoxes(trx: Knex, tenantId: string, extensionId: number, now: Date): Promise<string[]> {
  // Locked, so that neither a message nor another owner comes in meanwhile.
  const boxes = await trx('voicemail_boxes as b')
    .select('b.id')
    .where({ 'b.tenant_id': tenantId })
    .whereIn('b.id', trx('voicemail_box_extensions').select('box_id').where({ extension_id: extensionId }))
    .orderBy('b.id')
    .forUpdate('b')
  const ids = boxes.map(({ id }) => Number(id))
  const shared = await trx('voicemail_box_extensions')
    .distinct('box_id')
    .whereIn('box_id', ids)
    .whereNot({ extension_id: extensionId })
  const lonely = ids.filter((id) => !shared.some(({ box_id }) => Number(box_id) === id))
  const gone = await trx('voicemail_messages')
    .where({ tenant_id: tenantId })
    .whereIn('box_id', lonely)
    .del()
    .returning('file_key')
  const files = gone.map(({ file_key }) => String(file_key))
  await createStoredFileStore(trx).markRemoved(tenantId, files, now)
  await trx('voicemail_boxes').where({ tenant_id: tenantId }).whereIn('id', lonely).del()
  return files
}

/** Records first and sums then, each in one order, as reports lock them. */
async function leaveHistory(trx: Knex, tenantId: string, number: string): Promise<void> {
  const { rows } = await trx.raw<{ rows: { id: number; is_lonely: boolean }[] }>(
    `SELECT r.id, NOT EXISTS (
       SELECT FROM call_record_parties other JOIN extensions e ON e.tenant_id = other.tenant_id AND e.number = other.party
       WHERE other.record_id = r.id AND other.party <> ?
     ) AS is_lonely
     FROM call_records r
     WHERE r.tenant_id = ? AND r.id IN (SELECT record_id FROM call_record_parties WHERE tenant_id = ? AND party = ?)
     ORDER BY r.call_id FOR UPDATE OF r`,
    [number, tenantId, tenantId, number],
  )
  const idsOf = (isLonely: boolean) => rows.filter((row) => row.is_lonely === isLonely).map(({ id }) => id)
  const lonely = idsOf(true)
  await trx.raw(
    `WITH gone AS (
       SELECT party, count(*) AS calls FROM call_record_parties WHERE record_id = ANY (?::bigint[]) GROUP BY party
     ), locked AS MATERIALIZED (
       SELECT c.party FROM call_party_counts c JOIN gone USING (party)
       WHERE c.tenant_id = ? ORDER BY c.party FOR UPDATE OF c
     )
     UPDATE call_party_counts c SET calls = c.calls - gone.calls
     FROM gone JOIN locked USING (party) WHERE c.tenant_id = ? AND c.party = gone.party`,
    [lonely, tenantId, tenantId],
  )
  await trx('call_records').where({ tenant_id: tenantId }).whereRaw('id = ANY (?::bigint[])', [lonely]).del()
  await trx.raw(
    `UPDATE call_records SET left_parties = array_append(left_parties, ?)
     WHERE tenant_id = ? AND id = ANY (?::bigint[])`,
    [number, tenantId, idsOf(false)],
  )
  await trx('call_record_parties').where({ tenant_id: tenantId, party: number }).del()
  await trx('call_party_counts').where({ tenant_id: tenantId, party: number }).del()
}
