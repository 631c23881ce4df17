import type { Knex } from 'knex'
import { nullableArray } from '../db/nullable-array.ts'
import { numberArray } from '../db/number-array.ts'
import type { ChatEvent, ChatEventType, ChatMessage, MemberData, ReceiptData } from './chat.ts'
import { type MessageRow, PREFIXED_MESSAGE, toMessage } from './message-row.ts'

/** Something that people are told. */
export type NewEvent = Omit<ChatEvent, 'seq' | 'at'> & { to: readonly number[] }

/** Who is told of something. */
export interface Recipient {
  extensionId: number
  /** The number that it has among his events. */
  eventSeq: number
}
/** Something that people were told; those who are gone are missing. */
export interface ToldEvent {
  event: Omit<ChatEvent, 'seq'>
  recipients: readonly Recipient[]
}

/** Events of one extension, from one place on. */
export interface EventPage {
  events: ChatEvent[]
  /** The number of the newest event there is. */
  newest: number
  /** Events up to this one are forgotten: who asks from before it has to begin anew. */
  floor: number
}
export interface Since {
  extensionId: number
  since: number
  limit: number
}

/** Events in which a message is looked for: they have no index by it, and nobody acknowledges what is long past. */
const REACH = 5_000

/**
 * What each extension has to be told. Its events are numbered by a row of its own that is locked until the transaction ends, so they
 * become visible in the order of their numbers: who has read up to n misses nothing that is at or below n. Whoever appends events has
 * to do it last, because all transactions lock conversations first, then participants, then these rows in the order of their ids.
 */
export function createUserEventStore(db: Knex) {
  return {
    /** Within a transaction. Events for an extension that is gone are left out. */
    append: (events: readonly NewEvent[], at: Date): Promise<ToldEvent[]> => append(db, events, at),

    /** For many extensions at once; undefined for one that takes no part in chat. */
    async read(asked: readonly Since[]): Promise<(EventPage | undefined)[]> {
      const { rows } = await db.raw<{ rows: EventRow[] }>(
        `SELECT a.place, u.sync_seq AS newest, u.floor_seq AS floor, e.seq, e.type, e.conversation_id, e.message_id, e.data, e.at
         FROM unnest(?::bigint[], ?::bigint[], ?::int[]) WITH ORDINALITY AS a (extension_id, since, most, place)
         JOIN chat_users u ON u.extension_id = a.extension_id
         LEFT JOIN LATERAL (
           SELECT * FROM user_events WHERE extension_id = a.extension_id AND seq > a.since ORDER BY seq LIMIT a.most
         ) e ON true
         ORDER BY a.place, e.seq`,
        [
          numberArray(asked.map(({ extensionId }) => extensionId)),
          numberArray(asked.map(({ since }) => since)),
          numberArray(asked.map(({ limit }) => limit)),
        ],
      )
      // One message is what many are told of, so it is not joined to each.
      const messages = await messagesOf(db, rows)
      const pages = new Map<number, EventPage>()
      for (const row of rows) {
        const page = pages.get(row.place) ?? { events: [], newest: row.newest, floor: row.floor }
        pages.set(row.place, page)
        if (row.seq !== null) page.events.push(toEvent(row, row.seq, messages))
      }
      return asked.map((_, index) => pages.get(index + 1))
    },

    /**
     * Of a conversation, what came before this event: a message is read as it is now, and what becomes of it is no business of who has
     * left. Within the transaction that has appended the event, and so holds the row that numbers them.
     */
    async forget(extensionId: number, conversationId: string, before: number): Promise<void> {
      await db('user_events')
        .where({ extension_id: extensionId, conversation_id: conversationId })
        .where('seq', '<', before)
        .delete()
    },

    /** By message: the number of the event that told of it, if it is among the last thousands. */
    async seqsOf(extensionId: number, messageIds: readonly string[]): Promise<Map<string, number>> {
      const { rows } = await db.raw<{ rows: { message_id: string; seq: number }[] }>(
        `SELECT message_id, seq FROM user_events
         WHERE extension_id = :extensionId AND type = 'message.created' AND message_id = ANY (CAST(:messageIds AS uuid[]))
           AND seq > (SELECT sync_seq FROM chat_users WHERE extension_id = :extensionId) - :reach`,
        { extensionId, messageIds: [...messageIds], reach: REACH },
      )
      return new Map(rows.map((row) => [row.message_id, row.seq]))
    },

    /** The number of the last event before a moment: for who knows only when he was here last. */
    async seqBefore(extensionId: number, moment: Date): Promise<number> {
      const { rows } = await db.raw<{ rows: { seq: number }[] }>(
        `SELECT coalesce(
           (SELECT seq FROM user_events WHERE extension_id = u.extension_id AND at < ? ORDER BY seq DESC LIMIT 1), u.floor_seq
         ) AS seq FROM chat_users u WHERE extension_id = ?`,
        [moment, extensionId],
      )
      return rows[0]?.seq ?? 0
    },

    /** Forgets what is older; returns how many there were. */
    async prune(before: Date, limit: number): Promise<number> {
      const { rows } = await db.raw<{ rows: { count: number }[] }>(
        `WITH old AS (
           SELECT extension_id, seq FROM user_events WHERE at < ? LIMIT ?
         ), reach AS (
           SELECT extension_id, max(seq) AS seq FROM old GROUP BY extension_id
         ), locked AS MATERIALIZED (
           SELECT extension_id FROM chat_users WHERE extension_id IN (SELECT extension_id FROM reach)
           ORDER BY extension_id FOR NO KEY UPDATE
         ), floors AS (
           UPDATE chat_users u SET floor_seq = greatest(u.floor_seq, reach.seq)
           FROM locked JOIN reach USING (extension_id) WHERE u.extension_id = locked.extension_id
         ), gone AS (
           DELETE FROM user_events e USING reach WHERE e.extension_id = reach.extension_id AND e.seq <= reach.seq
           RETURNING 1
         )
         SELECT count(*)::int AS count FROM gone`,
        [before, limit],
      )
      return rows[0]?.count ?? 0
    },
  }
}
export type UserEventStore = ReturnType<typeof createUserEventStore>

async function append(trx: Knex, events: readonly NewEvent[], at: Date): Promise<ToldEvent[]> {
  const counts = new Map<number, number>()
  for (const { to } of events) for (const id of to) counts.set(id, (counts.get(id) ?? 0) + 1)
  const ids = [...counts.keys()]
  if (ids.length === 0) return []
  const { rows } = await trx.raw<{ rows: { extension_id: number; last: number }[] }>(
    `WITH locked AS MATERIALIZED (
       SELECT extension_id FROM chat_users WHERE extension_id = ANY (?::bigint[]) ORDER BY extension_id FOR NO KEY UPDATE
     )
     UPDATE chat_users u SET sync_seq = u.sync_seq + n.count
     FROM unnest(?::bigint[], ?::int[]) AS n (extension_id, count)
     JOIN locked USING (extension_id)
     WHERE u.extension_id = n.extension_id
     RETURNING u.extension_id, u.sync_seq - n.count AS last`,
    [numberArray(ids), numberArray(ids), numberArray([...counts.values()])],
  )
  const last = new Map(rows.map((row) => [row.extension_id, row.last]))
  const told = events.map(({ to, ...event }) => ({
    event: { ...event, at },
    recipients: to.flatMap((extensionId) => {
      const before = last.get(extensionId)
      if (before === undefined) return []
      last.set(extensionId, before + 1)
      return { extensionId, eventSeq: before + 1 }
    }),
  }))
  await insert(trx, told, at)
  return told
}

/** Whatever is the same for all who are told is sent to the database once. */
async function insert(trx: Knex, told: readonly ToldEvent[], at: Date): Promise<void> {
  const events = told.map(({ event }) => event)
  const recipients = told.flatMap((each) => each.recipients)
  await trx.raw(
    `INSERT INTO user_events (extension_id, seq, type, conversation_id, message_id, data, at)
     SELECT r.extension_id, r.seq, e.type, e.conversation_id, e.message_id, e.data, ?::timestamptz
     FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) AS r (extension_id, seq, place)
     JOIN unnest(?::text[], ?::uuid[], ?::uuid[], ?::jsonb[]) WITH ORDINALITY AS e (type, conversation_id, message_id, data, place)
       USING (place)`,
    [
      at,
      numberArray(recipients.map(({ extensionId }) => extensionId)),
      numberArray(recipients.map(({ eventSeq }) => eventSeq)),
      numberArray(told.flatMap((each, index) => each.recipients.map(() => index + 1))),
      events.map(({ type }) => type),
      events.map(({ conversationId }) => conversationId),
      nullableArray(events.map(({ message }) => message?.id)),
      nullableArray(events.map(({ receipt, member }) => jsonOf(receipt ?? member))),
    ],
  )
}

const jsonOf = (data: ReceiptData | MemberData | undefined) => data && JSON.stringify(data)

interface EventRow {
  place: number
  newest: number
  floor: number
  seq: number | null
  type: ChatEventType
  conversation_id: string
  message_id: string | null
  data: unknown
  at: Date
}

async function messagesOf(db: Knex, rows: readonly EventRow[]): Promise<Map<string, ChatMessage>> {
  const ids = new Set(rows.flatMap(({ message_id: id }) => id ?? []))
  if (ids.size === 0) return new Map()
  const found = await db.raw<{ rows: MessageRow[] }>(
    `SELECT ${PREFIXED_MESSAGE} FROM messages m WHERE m.id = ANY (?::uuid[])`,
    [[...ids]],
  )
  return new Map(found.rows.map((row) => [String(row.id), toMessage(row)]))
}

function toEvent(row: EventRow, seq: number, messages: ReadonlyMap<string, ChatMessage>): ChatEvent {
  const event = { seq, type: row.type, conversationId: row.conversation_id, at: row.at }
  if (row.type === 'message.delivered' || row.type === 'message.read') {
    return { ...event, receipt: row.data as ReceiptData }
  }
  if (row.type === 'participant.joined' || row.type === 'participant.left') {
    return { ...event, member: row.data as MemberData }
  }
  const message = messages.get(row.message_id ?? '')
  return message ? { ...event, message } : event
}
