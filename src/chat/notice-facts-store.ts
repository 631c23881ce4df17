import type { Knex } from 'knex'
import type { AlertToken } from '../devices/alert-token-store.ts'
import type { NotifyMode } from './chat.ts'
import type { DeviceFacts, NoticeFacts } from './notice-decision.ts'
import type { OutboxEntry } from './outbox-store.ts'
import { type PushSettingsRow, toPushSettings } from './push-settings-store.ts'
import type { Recipient } from './user-event-store.ts'

/** One person who has to be told of one message. */
export interface Notice extends Recipient {
  entry: OutboxEntry
}
export interface KnownNotice extends Notice {
  facts: Omit<NoticeFacts, 'devices'> & { devices: readonly Omit<DeviceFacts, 'isAttentive'>[] }
  /** By device. */
  tokens: ReadonlyMap<string, AlertToken>
}

/** All that decides whether people are told of messages, for many of both at once. */
export function createNoticeFactsStore(db: Knex) {
  return {
    /** Without those who are gone altogether. */
    async of(entries: readonly OutboxEntry[]): Promise<KnownNotice[]> {
      const notices = entries.flatMap((entry) =>
        entry.recipients.map((recipient): Notice => ({ ...recipient, entry })),
      )
      const people = [...new Set(notices.map(({ extensionId }) => extensionId))]
      const [rows, phones] = await Promise.all([factsOf(db, notices), phonesOf(db, people)])
      const devices = Map.groupBy(phones, ({ extensionId }) => extensionId)
      return rows.flatMap((row) => {
        const notice = notices[row.place - 1]
        return notice ? [toKnown(row, notice, devices.get(notice.extensionId) ?? [])] : []
      })
    },

    /** Which of these pushes were made before and said something, or still may. */
    async told(pushIds: readonly string[]): Promise<Set<string>> {
      const { rows } = await db.raw<{ rows: { id: string }[] }>(
        `SELECT id FROM push_logs WHERE id = ANY (?::uuid[]) AND (state <> 'skipped' OR reason <> 'acked_by_user')`,
        [[...pushIds]],
      )
      return new Set(rows.map(({ id }) => id))
    },
  }
}
export type NoticeFactsStore = ReturnType<typeof createNoticeFactsStore>

type FactsRow = {
  place: number
  seq: number
  created_at: Date
  is_deleted: boolean
  mentions_him: boolean
  notify: NotifyMode | null
  muted_until: Date | null
  last_read_seq: number
  dnd: boolean
} & PushSettingsRow

async function factsOf(db: Knex, notices: readonly Notice[]): Promise<FactsRow[]> {
  const { rows } = await db.raw<{ rows: FactsRow[] }>(
    `SELECT a.place, m.seq, m.created_at, m.deleted_at IS NOT NULL AS is_deleted, a.extension_id = ANY (m.mentions) AS mentions_him,
       p.notify, p.muted_until, p.last_read_seq, e.dnd,
       s.preview, s.push_when, s.escalate_after_seconds, s.dnd_until, s.dnd_schedule, s.time_zone
     FROM unnest(?::uuid[], ?::bigint[]) WITH ORDINALITY AS a (message_id, extension_id, place)
     JOIN messages m ON m.id = a.message_id
     JOIN extensions e ON e.id = a.extension_id
     LEFT JOIN participants p ON p.conversation_id = m.conversation_id AND p.extension_id = a.extension_id AND p.left_at IS NULL
       AND p.joined_seq < m.seq
     LEFT JOIN user_push_settings s ON s.extension_id = a.extension_id`,
    [notices.map(({ entry }) => entry.messageId), notices.map(({ extensionId }) => extensionId)],
  )
  return rows
}

interface PhoneRow extends Omit<AlertToken, 'kind'> {
  extensionId: number
  /** NULL: it has no token that takes notifications. */
  kind: AlertToken['kind'] | null
  ackedSeq: number
}

async function phonesOf(db: Knex, extensionIds: readonly number[]): Promise<PhoneRow[]> {
  const kinds = ['apns', 'fcm_fid', 'fcm']
  const { rows } = await db.raw<{ rows: PhoneRow[] }>(
    `SELECT DISTINCT ON (d.id) d.extension_id AS "extensionId", d.id AS "deviceId", d.app_id AS "appId", e.number AS extension,
       t.kind, t.environment, t.token_hash AS "tokenHash", t.token_sealed AS "tokenSealed", coalesce(k.seq, 0) AS "ackedSeq"
     FROM devices d
     JOIN extensions e ON e.id = d.extension_id
     LEFT JOIN device_tokens t ON t.device_id = d.id AND t.kind = ANY (?::text[]) AND t.invalidated_at IS NULL
     LEFT JOIN device_acks k ON k.device_id = d.id AND k.extension_id = d.extension_id
     WHERE d.extension_id = ANY (?::bigint[])
     ORDER BY d.id, array_position(?::text[], t.kind)`,
    [kinds, [...extensionIds], kinds],
  )
  return rows
}

function toKnown(row: FactsRow, notice: Notice, phones: readonly PhoneRow[]): KnownNotice {
  const tokens = new Map(
    phones.flatMap(({ kind, ...phone }) =>
      kind === null ? [] : [[phone.deviceId, { ...phone, kind }] as const],
    ),
  )
  return {
    ...notice,
    tokens,
    facts: {
      message: {
        seq: row.seq,
        createdAt: row.created_at.getTime(),
        isDeleted: row.is_deleted,
        mentionsHim: row.mentions_him,
      },
      ...(row.notify !== null && {
        participant: {
          notify: row.notify,
          lastReadSeq: row.last_read_seq,
          ...(row.muted_until && { mutedUntil: row.muted_until.getTime() }),
        },
      }),
      dnd: row.dnd,
      settings: toPushSettings(row),
      eventSeq: notice.eventSeq,
      devices: phones.map(({ deviceId, ackedSeq }) => ({
        id: deviceId,
        hasToken: tokens.has(deviceId),
        ackedSeq,
      })),
    },
  }
}
