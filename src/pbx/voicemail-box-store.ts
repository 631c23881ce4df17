import type { Knex } from 'knex'
import { createStoredFileStore } from '../storage/stored-file-store.ts'

/** Where messages are left, and whose they are. */
export interface VoicemailBox {
  id: number
  number: string
  name: string
  /** Numbers of the extensions that hear its messages. */
  extensions: string[]
  maxMessages: number
  maxSeconds: number
  /** Absent: messages are kept until somebody deletes them. */
  retentionDays?: number
}

export interface BoxChange {
  name?: string | undefined
  extensions: readonly string[]
  maxMessages?: number | undefined
  maxSeconds?: number | undefined
  /** `null` clears it. */
  retentionDays?: number | null | undefined
}

/** Whose number of unread messages may be another one now. */
interface Touched {
  extensionIds: number[]
}

export function createVoicemailBoxStore(db: Knex) {
  return {
    /** Creates the box or changes what is given of it. Numbers the tenant does not have are given back, and nothing is changed. */
    put: (
      tenantId: string,
      number: string,
      change: BoxChange,
    ): Promise<(Touched & { box: VoicemailBox }) | { unknown: string[] }> =>
      db.transaction(async (trx) => {
        const owners = await trx('extensions')
          .select('id', 'number')
          .where({ tenant_id: tenantId })
          .whereIn('number', [...change.extensions])
          // None of them may go before they are linked.
          .forKeyShare()
        const known = new Set(owners.map((owner) => String(owner.number)))
        const unknown = change.extensions.filter((extension) => !known.has(extension))
        if (unknown.length > 0) return { unknown }
        const boxId = await putRow(trx, tenantId, number, change)
        const ids = owners.map((owner) => Number(owner.id))
        const before = await ownersOf(trx, tenantId, boxId)
        await trx('voicemail_box_extensions').where({ box_id: boxId }).whereNotIn('extension_id', ids).del()
        if (ids.length > 0) {
          await trx('voicemail_box_extensions')
            .insert(ids.map((id) => ({ box_id: boxId, extension_id: id })))
            .onConflict()
            .ignore()
        }
        const [box] = await list(trx, tenantId, number)
        if (!box) throw new Error('a box that was just written is not there')
        return { box, extensionIds: [...new Set(before).symmetricDifference(new Set(ids))] }
      }),

    list: (tenantId: string): Promise<VoicemailBox[]> => list(db, tenantId),

    async find(tenantId: string, number: string): Promise<VoicemailBox | undefined> {
      return (await list(db, tenantId, number))[0]
    },

    /** With all its messages; their files are to be erased. Undefined when there is no such box. */
    remove: (
      tenantId: string,
      number: string,
      now: Date,
    ): Promise<(Touched & { files: string[] }) | undefined> =>
      db.transaction(async (trx) => {
        // Locked, so that no message comes in meanwhile.
        const box = await trx('voicemail_boxes')
          .first('id')
          .where({ tenant_id: tenantId, number })
          .forUpdate()
        if (!box) return undefined
        const extensionIds = await ownersOf(trx, tenantId, Number(box.id))
        const gone = await trx('voicemail_messages')
          .where({ tenant_id: tenantId, box_id: box.id })
          .del()
          .returning('file_key')
        const files = gone.map(({ file_key }) => String(file_key))
        await createStoredFileStore(trx).markRemoved(tenantId, files, now)
        await trx('voicemail_boxes').where({ tenant_id: tenantId, id: box.id }).del()
        return { files, extensionIds }
      }),
  }
}
export type VoicemailBoxStore = ReturnType<typeof createVoicemailBoxStore>

async function putRow(trx: Knex, tenantId: string, number: string, change: BoxChange): Promise<number> {
  const given = {
    name: change.name,
    max_messages: change.maxMessages,
    max_seconds: change.maxSeconds,
    retention_days: change.retentionDays,
  }
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const [row] = await trx('voicemail_boxes')
    .insert({ tenant_id: tenantId, number, ...known })
    .onConflict(['tenant_id', 'number'])
    // Never empty, so that the row is locked and given back also when nothing changes.
    .merge({ number, ...known })
    .returning('id')
  return Number(row.id)
}

async function ownersOf(db: Knex, tenantId: string, boxId: number): Promise<number[]> {
  const rows = await db('voicemail_box_extensions as l')
    .join('voicemail_boxes as b', 'b.id', 'l.box_id')
    .where({ 'b.tenant_id': tenantId, 'b.id': boxId })
    .select('l.extension_id')
  return rows.map(({ extension_id }) => Number(extension_id))
}

interface BoxRow {
  id: number
  number: string
  name: string
  max_messages: number
  max_seconds: number
  retention_days: number | null
  extensions: string[]
}

async function list(db: Knex, tenantId: string, number?: string): Promise<VoicemailBox[]> {
  const rows: BoxRow[] = await db('voicemail_boxes as b')
    .select('b.id', 'b.number', 'b.name', 'b.max_messages', 'b.max_seconds', 'b.retention_days')
    .select(
      db.raw(`ARRAY(
        SELECT e.number FROM voicemail_box_extensions l JOIN extensions e ON e.id = l.extension_id
        WHERE l.box_id = b.id ORDER BY e.number) AS extensions`),
    )
    .where({ 'b.tenant_id': tenantId })
    .where((one) => {
      if (number !== undefined) one.where('b.number', number)
    })
    .orderBy('b.number')
  return rows.map(fromRow)
}

const fromRow = (row: BoxRow): VoicemailBox => ({
  id: row.id,
  number: row.number,
  name: row.name,
  extensions: row.extensions,
  maxMessages: row.max_messages,
  maxSeconds: row.max_seconds,
  ...(row.retention_days !== null && { retentionDays: row.retention_days }),
})
