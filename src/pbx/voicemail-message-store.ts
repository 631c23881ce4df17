import type { Knex } from 'knex'
import { createStoredFileStore } from '../storage/stored-file-store.ts'

/** A message as the PBX knows it. */
export interface StoredVoicemail {
  id: number
  /** Number of the box. */
  box: string
  externalId: string
  callerIdName: string
  callerIdNum: string
  recordedAt: Date
  durationSeconds: number
  readAt?: Date
  transcription: string
  mediaType: string
  sizeBytes: number
  sha256: string
  createdAt: Date
}

export type NewVoicemail = Omit<StoredVoicemail, 'id' | 'box' | 'readAt'> & { fileKey: string }

/** Why a message was not taken. */
export type VoicemailRefusal = 'unknown_box' | 'message_too_long' | 'box_full' | 'voicemail_full' | 'late'
export type Addition =
  | { is: 'new'; message: StoredVoicemail; extensionIds: number[] }
  | { is: 'known'; message: StoredVoicemail }
  | { is: 'refused'; why: VoicemailRefusal }

/** A change that others may have to be told of. */
export interface Changed {
  message: StoredVoicemail
  /** Whose number of unread messages is another one now. */
  extensionIds: number[]
}

/** What is written with it is committed together with the message. */
export type Transaction = Knex
export type NewMessage = Extract<Addition, { is: 'new' }>

export interface VoicemailPlace {
  /** Milliseconds since the epoch. */
  recordedAt: number
  id: number
}

export function createVoicemailMessageStore(db: Knex) {
  const find = async (trx: Knex, tenantId: string, by: Record<string, unknown>) => {
    const row = await messages(trx, tenantId).where(by).first()
    return row && fromRow(row as MessageRow)
  }
  return {
    /**
     * Adds a message and keeps its file, both or neither. One after the other within a tenant, so that two do not share what is
     * left of its quota.
     *
     * @param announce what else is committed with a new message
     */
    add: (
      tenantId: string,
      box: string,
      message: NewVoicemail,
      limits: { quotaBytes: number; now: Date },
      announce: (trx: Transaction, added: NewMessage) => Promise<void>,
    ): Promise<Addition> =>
      db.transaction(async (trx) => {
        await trx('tenants').where({ id: tenantId }).forNoKeyUpdate().select('id')
        const target = await trx('voicemail_boxes')
          .first('id', 'max_messages', 'max_seconds')
          .where({ tenant_id: tenantId, number: box })
          .forKeyShare()
        if (!target) return { is: 'refused', why: 'unknown_box' }
        const known = await find(trx, tenantId, {
          'm.box_id': target.id,
          'm.external_id': message.externalId,
        })
        if (known) return { is: 'known', message: known }
        const why = await refusal(trx, tenantId, target, message, limits.quotaBytes)
        if (why) return { is: 'refused', why }
        const files = createStoredFileStore(trx)
        if (!(await files.keep(tenantId, message.fileKey, message.sizeBytes, limits.now))) {
          return { is: 'refused', why: 'late' }
        }
        const id = await insert(trx, tenantId, target.id, message)
        const added = await find(trx, tenantId, { 'm.id': id })
        if (!added) throw new Error('a message that was just written is not there')
        const addition: NewMessage = {
          ...{ is: 'new', message: added },
          extensionIds: await ownersOf(trx, tenantId, id),
        }
        await announce(trx, addition)
        return addition
      }),

    /** Newest first. */
    async list(
      tenantId: string,
      { box, after, limit }: { box?: string | undefined; after?: VoicemailPlace | undefined; limit: number },
    ): Promise<StoredVoicemail[]> {
      const rows: MessageRow[] = await messages(db, tenantId)
        .where((wanted) => {
          if (box !== undefined) wanted.where('b.number', box)
          if (after) wanted.whereRaw('(m.recorded_at, m.id) < (?, ?)', [new Date(after.recordedAt), after.id])
        })
        .orderByRaw('m.recorded_at DESC, m.id DESC')
        .limit(limit)
      return rows.map(fromRow)
    },

    /** Undefined when the tenant has no such message. */
    change: (
      tenantId: string,
      id: number,
      {
        transcription,
        read,
        now,
      }: { transcription?: string | undefined; read?: boolean | undefined; now: Date },
    ): Promise<Changed | undefined> =>
      db.transaction(async (trx) => {
        const before = await trx('voicemail_messages')
          .first('read_at')
          .where({ tenant_id: tenantId, id })
          .forUpdate()
        if (!before) return undefined
        const isOther = read !== undefined && read === (before.read_at === null)
        await trx('voicemail_messages')
          .where({ tenant_id: tenantId, id })
          .update({
            // Never empty: SQL has no update of nothing.
            read_at: isOther ? (read ? now : null) : before.read_at,
            ...(transcription !== undefined && { transcription }),
          })
        const message = await find(trx, tenantId, { 'm.id': id })
        return message && { message, extensionIds: isOther ? await ownersOf(trx, tenantId, id) : [] }
      }),

    /** The key of its file, which is to be erased. Undefined when the tenant has no such message. */
    remove: (
      tenantId: string,
      id: number,
      now: Date,
    ): Promise<{ file: string; extensionIds: number[] } | undefined> =>
      db.transaction(async (trx) => {
        const extensionIds = await ownersOf(trx, tenantId, id)
        const [gone] = await trx('voicemail_messages')
          .where({ tenant_id: tenantId, id })
          .del()
          .returning('file_key')
        if (!gone) return undefined
        const file = String(gone.file_key)
        await createStoredFileStore(trx).markRemoved(tenantId, [file], now)
        return { file, extensionIds }
      }),
  }
}
export type VoicemailMessageStore = ReturnType<typeof createVoicemailMessageStore>

async function refusal(
  trx: Knex,
  tenantId: string,
  box: { id: number; max_messages: number; max_seconds: number },
  { durationSeconds, sizeBytes }: NewVoicemail,
  quotaBytes: number,
): Promise<VoicemailRefusal | undefined> {
  if (durationSeconds > box.max_seconds) return 'message_too_long'
  const [row] = await trx('voicemail_messages')
    .where({ tenant_id: tenantId, box_id: box.id })
    .count<{ count: number }[]>('* as count')
  if ((row?.count ?? 0) >= box.max_messages) return 'box_full'
  const used = await createStoredFileStore(trx).sizeOf(tenantId)
  return used + sizeBytes > quotaBytes ? 'voicemail_full' : undefined
}

async function insert(trx: Knex, tenantId: string, boxId: number, message: NewVoicemail): Promise<number> {
  const [row] = await trx('voicemail_messages')
    .insert({
      tenant_id: tenantId,
      box_id: boxId,
      external_id: message.externalId,
      caller_id_name: message.callerIdName,
      caller_id_num: message.callerIdNum,
      recorded_at: message.recordedAt,
      duration_seconds: message.durationSeconds,
      transcription: message.transcription || null,
      file_key: message.fileKey,
      media_type: message.mediaType,
      size_bytes: message.sizeBytes,
      sha256: message.sha256,
      created_at: message.createdAt,
    })
    .returning('id')
  return Number(row.id)
}

/** The extensions of a message's box. */
async function ownersOf(db: Knex, tenantId: string, id: number): Promise<number[]> {
  const rows = await db('voicemail_messages as m')
    .join('voicemail_box_extensions as l', 'l.box_id', 'm.box_id')
    .where({ 'm.tenant_id': tenantId, 'm.id': id })
    .select('l.extension_id')
  return rows.map(({ extension_id }) => Number(extension_id))
}

interface MessageRow {
  id: number
  number: string
  external_id: string
  caller_id_name: string
  caller_id_num: string
  recorded_at: Date
  duration_seconds: number
  read_at: Date | null
  transcription: string | null
  media_type: string
  size_bytes: number
  sha256: string
  created_at: Date
}

const messages = (db: Knex, tenantId: string) =>
  db('voicemail_messages as m')
    .join('voicemail_boxes as b', 'b.id', 'm.box_id')
    .select('m.id', 'b.number', 'm.external_id', 'm.caller_id_name', 'm.caller_id_num', 'm.recorded_at')
    .select('m.duration_seconds', 'm.read_at', 'm.transcription', 'm.media_type', 'm.size_bytes')
    .select('m.sha256', 'm.created_at')
    .where({ 'm.tenant_id': tenantId })

const fromRow = (row: MessageRow): StoredVoicemail => ({
  id: row.id,
  box: row.number,
  externalId: row.external_id,
  callerIdName: row.caller_id_name,
  callerIdNum: row.caller_id_num,
  recordedAt: row.recorded_at,
  durationSeconds: row.duration_seconds,
  ...(row.read_at !== null && { readAt: row.read_at }),
  transcription: row.transcription ?? '',
  mediaType: row.media_type,
  sizeBytes: row.size_bytes,
  sha256: row.sha256,
  createdAt: row.created_at,
})
