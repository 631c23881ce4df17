import type { Knex } from 'knex'
import { nullableArray } from '../db/nullable-array.ts'
import type { ChatEvent, ChatEventType, MemberData, ReceiptData } from './chat.ts'
import { type MessageRow, PREFIXED_MESSAGE, toMessage } from './message-row.ts'

export interface NewEvent {
  extensionId: number
  type: ChatEventType
  conversationId: string
  messageId?: string
  data?: ReceiptData | MemberData
}
/** An event with the number that it has got. */
export type NumberedEvent = NewEvent & { seq: number }

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
    append: (events: readonly NewEvent[], at: Date): Promise<NumberedEvent[]> => append(db, events, at),

    /** For many extensions at once; undefined for one that takes no part in chat. */
    async read(asked: readonly Since[]): Promise<(EventPage | undefined)[]> {
      const { rows } = await db.raw<{ rows: EventRow[] }>(
        `SELECT a.place, u.sync_seq AS newest, u.floor_seq AS floor, e.seq, e.type, e.conversation_id AS event_conversation_id,
           e.data, e.at, ${PREFIXED_MESSAGE}
         FROM unnest(?::bigint[], ?::bigint[], ?::int[]) WITH ORDINALITY AS a (extension_id, since, most, place)
         JOIN chat_users u ON u.extension_id = a.extension_id
         LEFT JOIN LATERAL (
           SELECT * FROM user_events WHERE extension_id = a.extension_id AND seq > a.since ORDER BY seq LIMIT a.most
         ) e ON true
         LEFT JOIN messages m ON m.id = e.message_id
         ORDER BY a.place, e.seq`,
        [
          asked.map(({ extensionId }) => extensionId),
          asked.map(({ since }) => since),
          asked.map(({ limit }) => limit),
        ],
      )
      const pages = new Map<number, EventPage>()
      for (const row of rows) {
        const page = pages.get(row.place) ?? { events: [], newest: row.newest, floor: row.floor }
        pages.set(row.place, page)
        if (row.seq !== null) page.events.push(toEvent(row, row.seq))
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

async function append(trx: Knex, events: readonly NewEvent[], at: Date): Promise<NumberedEvent[]> {
  if (events.length === 0) return []
  const counts = new Map<number, number>()
  for (const { extensionId } of events) counts.set(extensionId, (counts.get(extensionId) ?? 0) + 1)
  const ids = [...counts.keys()]
  const { rows } = await trx.raw<{ rows: { extension_id: number; last: number }[] }>(
    `WITH locked AS MATERIALIZED (
       SELECT extension_id FROM chat_users WHERE extension_id = ANY (?::bigint[]) ORDER BY extension_id FOR NO KEY UPDATE
     )
     UPDATE chat_users u SET sync_seq = u.sync_seq + n.count
     FROM unnest(?::bigint[], ?::int[]) AS n (extension_id, count)
     JOIN locked USING (extension_id)
     WHERE u.extension_id = n.extension_id
     RETURNING u.extension_id, u.sync_seq - n.count AS last`,
    [ids, ids, [...counts.values()]],
  )
  const last = new Map(rows.map((row) => [row.extension_id, row.last]))
  const numbered = events.flatMap((event) => {
    const before = last.get(event.extensionId)
    if (before === undefined) return []
    last.set(event.extensionId, before + 1)
    return [{ ...event, seq: before + 1 }]
  })
  await trx.raw(
    `INSERT INTO user_events (extension_id, seq, type, conversation_id, message_id, data, at)
     SELECT *, ?::timestamptz FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::uuid[], ?::uuid[], ?::jsonb[])`,
    [
      at,
      numbered.map(({ extensionId }) => extensionId),
      numbered.map(({ seq }) => seq),
      numbered.map(({ type }) => type),
      numbered.map(({ conversationId }) => conversationId),
      nullableArray(numbered.map(({ messageId }) => messageId)),
      nullableArray(numbered.map(({ data }) => data && JSON.stringify(data))),
    ],
  )
  return numbered
}

type EventRow = {
  place: number
  newest: number
  floor: number
  seq: number | null
  type: ChatEventType
  event_conversation_id: string
  data: unknown
  at: Date
} & MessageRow

function toEvent(row: EventRow, seq: number): ChatEvent {
  const event = { seq, type: row.type, conversationId: row.event_conversation_id, at: row.at }
  if (row.type === 'message.delivered' || row.type === 'message.read') {
    return { ...event, receipt: row.data as ReceiptData }
  }
  if (row.type === 'participant.joined' || row.type === 'participant.left') {
    return { ...event, member: row.data as MemberData }
  }
  return row.id === null ? event : { ...event, message: toMessage(row) }
}
