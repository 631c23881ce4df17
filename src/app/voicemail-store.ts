import type { Knex } from 'knex'
import type { AppCaller } from '../http/app-caller.ts'
import { createStoredFileStore } from '../storage/stored-file-store.ts'

/** Whose messages: those of all boxes of the extension. */
type Owner = Pick<AppCaller, 'tenantId' | 'extensionId'>

/** A message as its owner hears it. */
export interface Voicemail {
  id: number
  boxId: number
  callerIdName: string
  callerIdNum: string
  recordedAt: Date
  durationSeconds: number
  readAt?: Date
  transcription?: string
  createdAt: Date
}

export interface VoicemailAudio {
  fileKey: string
  mediaType: string
  sizeBytes: number
  sha256: string
  createdAt: Date
}

/** A place in the list: box after box, and in each the newest first. */
export interface VoicemailPlace {
  boxId: number
  /** Milliseconds since the epoch. */
  recordedAt: number
  id: number
}

export function createVoicemailStore(db: Knex) {
  return {
    /** All of them without a limit, as the app asks for them; a box holds only so many. */
    async list(
      owner: Owner,
      { after, limit }: { after?: VoicemailPlace | undefined; limit?: number | undefined } = {},
    ): Promise<Voicemail[]> {
      const rows: VoicemailRow[] = await own(db, owner)
        .select(COLUMNS)
        .where((later) => {
          if (!after) return
          const { boxId, recordedAt, id } = after
          later.where('m.box_id', '>', boxId).orWhere((same) => {
            same
              .where('m.box_id', boxId)
              .whereRaw('(m.recorded_at, m.id) < (?, ?)', [new Date(recordedAt), id])
          })
        })
        .orderByRaw('m.box_id, m.recorded_at DESC, m.id DESC')
        .modify((query) => {
          if (limit !== undefined) query.limit(limit)
        })
      return rows.map(fromRow)
    },

    /** Undefined when the extension has no such message. */
    async audioOf(owner: Owner, id: number): Promise<VoicemailAudio | undefined> {
      const row = await own(db, owner)
        .first('m.file_key', 'm.media_type', 'm.size_bytes', 'm.sha256', 'm.created_at')
        .where('m.id', id)
      return (
        row && {
          fileKey: row.file_key,
          mediaType: row.media_type,
          sizeBytes: row.size_bytes,
          sha256: row.sha256,
          createdAt: row.created_at,
        }
      )
    },

    /** When it was read first stays. Tells whose number of unread messages is another one now. */
    mark: (
      owner: Owner,
      id: number,
      { read, now }: { read: boolean; now: Date },
    ): Promise<{ message: Voicemail; extensionIds: number[] } | undefined> =>
      db.transaction(async (trx) => {
        const changed = await trx('voicemail_messages')
          .where({ tenant_id: owner.tenantId, id })
          .whereIn('box_id', boxesOf(trx, owner))
          .where((other) => (read ? other.whereNull('read_at') : other.whereNotNull('read_at')))
          .update({ read_at: read ? now : null })
        const row: VoicemailRow | undefined = await own(trx, owner).first(COLUMNS).where('m.id', id)
        if (!row) return undefined
        return { message: fromRow(row), extensionIds: changed > 0 ? await ownersOf(trx, owner, id) : [] }
      }),

    /** The key of its file, which is to be erased. Undefined when the extension has no such message. */
    remove: (
      owner: Owner,
      id: number,
      now: Date,
    ): Promise<{ file: string; extensionIds: number[] } | undefined> =>
      db.transaction(async (trx) => {
        const extensionIds = await ownersOf(trx, owner, id)
        const [gone] = await trx('voicemail_messages')
          .where({ tenant_id: owner.tenantId, id })
          .whereIn('box_id', boxesOf(trx, owner))
          .del()
          .returning('file_key')
        if (!gone) return undefined
        const file = String(gone.file_key)
        await createStoredFileStore(trx).markRemoved(owner.tenantId, [file], now)
        return { file, extensionIds }
      }),

    /** Over all boxes of each; those without any are missing. */
    async unread(owners: readonly Owner[]): Promise<Map<number, number>> {
      const { rows } = await db.raw<{ rows: { extension_id: number; unread: number }[] }>(
        `SELECT l.extension_id, count(*)::int AS unread
         FROM unnest(?::uuid[], ?::bigint[]) AS a (tenant_id, extension_id)
         JOIN voicemail_box_extensions l ON l.extension_id = a.extension_id
         JOIN voicemail_messages m ON m.box_id = l.box_id AND m.tenant_id = a.tenant_id AND m.read_at IS NULL
         GROUP BY l.extension_id`,
        [owners.map(({ tenantId }) => tenantId), owners.map(({ extensionId }) => extensionId)],
      )
      return new Map(rows.map(({ extension_id, unread }) => [extension_id, unread]))
    },
  }
}
export type VoicemailStore = ReturnType<typeof createVoicemailStore>

const boxesOf = (db: Knex, { tenantId, extensionId }: Owner) =>
  db('voicemail_boxes as b')
    .join('voicemail_box_extensions as l', 'l.box_id', 'b.id')
    .where({ 'b.tenant_id': tenantId, 'l.extension_id': extensionId })
    .select('b.id')

const own = (db: Knex, owner: Owner) =>
  db('voicemail_messages as m').where('m.tenant_id', owner.tenantId).whereIn('m.box_id', boxesOf(db, owner))

/** Whoever shares the message's box with the owner, and he himself. */
async function ownersOf(db: Knex, owner: Owner, id: number): Promise<number[]> {
  const rows = await own(db, owner)
    .join('voicemail_box_extensions as l', 'l.box_id', 'm.box_id')
    .where('m.id', id)
    .select('l.extension_id')
  return rows.map(({ extension_id }) => Number(extension_id))
}

interface VoicemailRow {
  id: number
  box_id: number
  caller_id_name: string
  caller_id_num: string
  recorded_at: Date
  duration_seconds: number
  read_at: Date | null
  transcription: string | null
  created_at: Date
}

const COLUMNS = [
  'm.id',
  'm.box_id',
  'm.caller_id_name',
  'm.caller_id_num',
  'm.recorded_at',
  'm.duration_seconds',
  'm.read_at',
  'm.transcription',
  'm.created_at',
]

const fromRow = (row: VoicemailRow): Voicemail => ({
  id: row.id,
  boxId: row.box_id,
  callerIdName: row.caller_id_name,
  callerIdNum: row.caller_id_num,
  recordedAt: row.recorded_at,
  durationSeconds: row.duration_seconds,
  ...(row.read_at !== null && { readAt: row.read_at }),
  ...(row.transcription !== null && { transcription: row.transcription }),
  createdAt: row.created_at,
})
