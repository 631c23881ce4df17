import type { Knex } from 'knex'
import type { ConversationKind, NotifyMode } from './chat.ts'
import { UNREAD } from './conversation-list-store.ts'
import type { PushSettings } from './push-settings.ts'
import { type PushSettingsRow, toPushSettings } from './push-settings-store.ts'

/** A push that is about to be sent. */
export interface Rechecked {
  extensionId: number
  deviceId: string
  tokenHash: string
  message: { id: string; eventSeq: number }
}

/** A number for an icon that is about to be sent, and what the phone is to take back. */
export interface IconAsked extends Omit<Rechecked, 'message'> {
  conversationIds: readonly string[]
}

/** What has become of it. */
export interface Standing {
  message: Shown & { seq: number; isDeleted: boolean; createdAt: number }
  participant?: { notify: NotifyMode; mutedUntil?: number; lastReadSeq: number }
  conversation: { kind: ConversationKind; title: string }
  dnd: boolean
  settings: PushSettings
  /** The phone is still the extension's, with this token. */
  hasToken: boolean
  deviceAckedSeq: number
  /** Of any phone of the extension that was not pushed the message. */
  userAckedSeq: number
  /** Of the conversation. */
  unread: number
  /** The newest message that he would be pushed, if that is a later one. */
  newer?: string
  /** For a message that was deleted: the newest before it that he would be pushed and has not read. */
  older?: Shown & { id: string }
}
/** What a notification shows of a message. */
export interface Shown {
  kind: string
  content: string
  senderNumber: string
  senderName: string
  mentionsHim: boolean
}

/** Of others, and not only of mentions where he wants no more. */
const PUSHABLE = `o.conversation_id = m.conversation_id AND o.deleted_at IS NULL AND o.sender_id <> a.extension_id
  AND (p.notify = 'all' OR a.extension_id = ANY (o.mentions))`

export function createRecheckStore(db: Knex) {
  return {
    /** Undefined for a message or person that is gone altogether. No push of theirs is older than `since`. */
    async standings(asked: readonly Rechecked[], since: Date): Promise<(Standing | undefined)[]> {
      const { rows } = await db.raw<{ rows: StandingRow[] }>(
        `SELECT a.place, m.seq, m.kind, m.content, m.sender_number, m.sender_name, m.created_at, m.deleted_at IS NOT NULL AS is_deleted,
           a.extension_id = ANY (m.mentions) AS mentions_him, c.kind AS conversation_kind, c.title,
           p.notify, p.muted_until, p.last_read_seq, CASE WHEN p.notify IS NULL THEN 0 ELSE ${UNREAD} END AS unread, e.dnd,
           s.preview, s.push_when, s.escalate_after_seconds, s.dnd_until, s.dnd_schedule, s.time_zone,
           EXISTS (SELECT FROM device_tokens t JOIN devices d ON d.id = t.device_id
             WHERE t.token_hash = a.token_hash AND d.id = a.device_id AND d.extension_id = a.extension_id
               AND t.invalidated_at IS NULL) AS has_token,
           coalesce((SELECT k.seq FROM device_acks k WHERE k.device_id = a.device_id AND k.extension_id = a.extension_id), 0)
             AS device_acked_seq,
           -- A phone that was pushed this very message may have been woken by that, in a pocket: it speaks for nobody but itself.
           coalesce((SELECT max(k.seq) FROM device_acks k WHERE k.extension_id = a.extension_id AND NOT EXISTS (
             SELECT FROM push_logs l WHERE l.message_id = a.message_id AND l.device_id = k.device_id AND l.state <> 'skipped'
               AND l.accepted_at > ?)), 0) AS user_acked_seq,
           (SELECT o.id FROM messages o WHERE ${PUSHABLE} AND o.seq > m.seq ORDER BY o.seq DESC LIMIT 1) AS newer,
           older.id AS older_id, older.kind AS older_kind, older.content AS older_content,
           older.sender_number AS older_sender_number, older.sender_name AS older_sender_name,
           a.extension_id = ANY (older.mentions) AS older_mentions_him
         FROM unnest(?::uuid[], ?::bigint[], ?::uuid[], ?::text[]) WITH ORDINALITY
           AS a (message_id, extension_id, device_id, token_hash, place)
         JOIN messages m ON m.id = a.message_id
         JOIN conversations c ON c.id = m.conversation_id
         JOIN extensions e ON e.id = a.extension_id
         LEFT JOIN participants p ON p.conversation_id = c.id AND p.extension_id = a.extension_id AND p.left_at IS NULL
           AND p.joined_seq < m.seq
         LEFT JOIN user_push_settings s ON s.extension_id = a.extension_id
         LEFT JOIN LATERAL (
           SELECT o.* FROM messages o
           WHERE m.deleted_at IS NOT NULL AND ${PUSHABLE} AND o.seq < m.seq AND o.seq > greatest(p.last_read_seq, p.joined_seq)
           ORDER BY o.seq DESC LIMIT 1
         ) older ON true`,
        [
          since,
          asked.map(({ message }) => message.id),
          asked.map(({ extensionId }) => extensionId),
          asked.map(({ deviceId }) => deviceId),
          asked.map(({ tokenHash }) => tokenHash),
        ],
      )
      const found = new Map(rows.map((row) => [row.place, toStanding(row)]))
      return asked.map((_, index) => found.get(index + 1))
    },

    /** Whether the phone is still the extension's, with this token; and of which of these conversations it has nothing to read. */
    async icon({
      extensionId,
      deviceId,
      tokenHash,
      conversationIds,
    }: IconAsked): Promise<{ hasToken: boolean; cleared: string[] }> {
      const { rows } = await db.raw<{ rows: { has_token: boolean; cleared: string[] }[] }>(
        `SELECT EXISTS (SELECT FROM device_tokens t JOIN devices d ON d.id = t.device_id
             WHERE t.token_hash = :tokenHash AND d.id = CAST(:deviceId AS uuid) AND d.extension_id = :extensionId
               AND t.invalidated_at IS NULL) AS has_token,
           ARRAY(SELECT i.id FROM unnest(CAST(:conversationIds AS uuid[])) WITH ORDINALITY AS i (id, place)
             WHERE NOT EXISTS (SELECT FROM participants p JOIN conversations c ON c.id = p.conversation_id
               WHERE c.id = i.id AND p.extension_id = :extensionId AND p.left_at IS NULL AND ${UNREAD} > 0)
             ORDER BY i.place) AS cleared`,
        { tokenHash, deviceId, extensionId, conversationIds: [...conversationIds] },
      )
      return { hasToken: rows[0]?.has_token ?? false, cleared: rows[0]?.cleared ?? [] }
    },

    /** Which of these pushes, none older than `since`, are on their way to the phone or there. */
    async showing(pushIds: readonly string[], since: Date): Promise<Set<string>> {
      const rows = await db('push_logs')
        .select('id')
        .whereIn('id', pushIds)
        .whereIn('state', ['queued', 'sending', 'delivered'])
        .where('accepted_at', '>', since)
      return new Set(rows.map(({ id }) => id as string))
    },

    /** Which of these pushes were left to a newer one. */
    async superseded(pushIds: readonly string[]): Promise<Set<string>> {
      const rows = await db('push_logs')
        .select('id')
        .whereIn('id', pushIds)
        .where({ state: 'skipped', reason: 'superseded' })
      return new Set(rows.map(({ id }) => id as string))
    },
  }
}
export type RecheckStore = ReturnType<typeof createRecheckStore>

type StandingRow = {
  place: number
  seq: number
  kind: string
  content: string
  sender_number: string
  sender_name: string
  created_at: Date
  is_deleted: boolean
  mentions_him: boolean
  conversation_kind: ConversationKind
  title: string
  notify: NotifyMode | null
  muted_until: Date | null
  last_read_seq: number
  unread: number
  dnd: boolean
  has_token: boolean
  device_acked_seq: number
  user_acked_seq: number
  newer: string | null
  older_id: string | null
  older_kind: string
  older_content: string
  older_sender_number: string
  older_sender_name: string
  older_mentions_him: boolean
} & PushSettingsRow

const toStanding = (row: StandingRow): Standing => ({
  message: {
    seq: row.seq,
    kind: row.kind,
    content: row.content,
    senderNumber: row.sender_number,
    senderName: row.sender_name,
    mentionsHim: row.mentions_him,
    isDeleted: row.is_deleted,
    createdAt: row.created_at.getTime(),
  },
  ...(row.notify !== null && {
    participant: {
      notify: row.notify,
      lastReadSeq: row.last_read_seq,
      ...(row.muted_until && { mutedUntil: row.muted_until.getTime() }),
    },
  }),
  conversation: { kind: row.conversation_kind, title: row.title },
  dnd: row.dnd,
  settings: toPushSettings(row),
  hasToken: row.has_token,
  deviceAckedSeq: row.device_acked_seq,
  userAckedSeq: row.user_acked_seq,
  unread: Number(row.unread),
  ...(row.newer !== null && { newer: row.newer }),
  ...(row.older_id !== null && {
    older: {
      id: row.older_id,
      kind: row.older_kind,
      content: row.older_content,
      senderNumber: row.older_sender_number,
      senderName: row.older_sender_name,
      mentionsHim: row.older_mentions_him,
    },
  }),
})
