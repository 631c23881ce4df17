import type { Knex } from 'knex'
import type { ChatCaller, ReceiptData } from './chat.ts'
import { createOutboxStore } from './outbox-store.ts'
import { createUserEventStore, type NewEvent, type ToldEvent } from './user-event-store.ts'

/** How far a receipt tells back: who has been away for months does not tell each sender of a thousand messages. */
const MOST_SENDERS = 200

/** How far people and phones have got. Each number only grows. */
export function createReceiptStore(db: Knex) {
  return {
    /**
     * Everything up to a message was read. Undefined when it is not his conversation; no events when it had been read before. The others
     * who said something of it are told, his own phones, and the icons of those.
     */
    read: (
      caller: ChatCaller,
      conversationId: string,
      upTo: number,
      now: Date,
    ): Promise<{ seq: number; events: ToldEvent[] } | undefined> =>
      db.transaction(async (trx) => {
        const place = await lockPlace(trx, caller, conversationId)
        if (!place) return undefined
        const seq = Math.min(upTo, place.last_seq)
        const before = Math.max(place.last_read_seq, place.joined_seq)
        if (seq <= before) return { seq: before, events: [] }
        await move(trx, caller.extensionId, conversationId, { seq, readNow: true })
        await note(trx, caller.extensionId, conversationId, 'read', seq, now)
        if (place.last_delivered_seq < seq) {
          await note(trx, caller.extensionId, conversationId, 'delivered', seq, now)
        }
        const news = await receiptsFor(trx, caller, 'message.read', { conversationId, before, seq, now })
        const events = await createUserEventStore(trx).append(news, now)
        await createOutboxStore(trx).putBadges([
          {
            ...{ extensionId: caller.extensionId, tenantId: caller.tenantId },
            conversationIds: seq === place.last_seq ? [conversationId] : [],
            exceptDeviceId: await deviceOf(trx, caller),
          },
        ])
        return { seq, events }
      }),

    /**
     * Everything up to a message has come to somebody, whichever of his clients says so; to be told once. Undefined when it is not his
     * conversation.
     */
    deliver: (
      caller: ChatCaller,
      conversationId: string,
      upTo: number,
      now: Date,
    ): Promise<ToldEvent[] | undefined> =>
      db.transaction(async (trx) => {
        const place = await lockPlace(trx, caller, conversationId)
        if (!place) return undefined
        const news = await delivered(
          trx,
          caller,
          place,
          { conversationId, seq: Math.min(upTo, place.last_seq) },
          now,
        )
        return createUserEventStore(trx).append(news, now)
      }),

    /**
     * The caller has all events up to this one, and so does his phone, if he is logged in on one that is registered. What he got of
     * others is told to them the first time that he has it.
     */
    ack: (caller: ChatCaller, seq: number, now: Date): Promise<ToldEvent[]> =>
      db.transaction(async (trx) => {
        const gained = await ackDevice(trx, caller, seq, now)
        const news: NewEvent[] = []
        for (const { conversation_id: conversationId, seq: upTo } of gained) {
          const place = await lockPlace(trx, caller, conversationId)
          if (place) news.push(...(await delivered(trx, caller, place, { conversationId, seq: upTo }, now)))
        }
        return createUserEventStore(trx).append(news, now)
      }),
  }
}
export type ReceiptStore = ReturnType<typeof createReceiptStore>

interface Place {
  last_seq: number
  last_read_seq: number
  last_delivered_seq: number
  joined_seq: number
}

async function lockPlace(
  trx: Knex,
  { tenantId, extensionId }: ChatCaller,
  conversationId: string,
): Promise<Place | undefined> {
  const { rows } = await trx.raw<{ rows: Place[] }>(
    `SELECT c.last_seq, p.last_read_seq, p.last_delivered_seq, p.joined_seq FROM participants p
     JOIN conversations c ON c.id = p.conversation_id AND c.tenant_id = ?
     WHERE p.conversation_id = ? AND p.extension_id = ? AND p.left_at IS NULL FOR NO KEY UPDATE OF p`,
    [tenantId, conversationId, extensionId],
  )
  return rows[0]
}

/** What others are told of it, if it is news. */
async function delivered(
  trx: Knex,
  caller: ChatCaller,
  { last_delivered_seq: before }: Place,
  { conversationId, seq }: { conversationId: string; seq: number },
  now: Date,
): Promise<NewEvent[]> {
  if (seq <= before) return []
  await move(trx, caller.extensionId, conversationId, { seq, readNow: false })
  await note(trx, caller.extensionId, conversationId, 'delivered', seq, now)
  return receiptsFor(trx, caller, 'message.delivered', { conversationId, before, seq, now })
}

async function move(
  trx: Knex,
  extensionId: number,
  conversationId: string,
  { seq, readNow }: { seq: number; readNow: boolean },
): Promise<void> {
  await trx.raw(
    `UPDATE participants p SET last_delivered_seq = greatest(p.last_delivered_seq, :seq)
     ${readNow ? ', last_read_seq = :seq, own_since_read = (SELECT count(*) FROM messages m WHERE m.conversation_id = p.conversation_id AND m.seq > :seq AND m.sender_id = p.extension_id)' : ''}
     WHERE p.conversation_id = :conversationId AND p.extension_id = :extensionId`,
    { seq, conversationId, extensionId },
  )
}

const note = (
  trx: Knex,
  extensionId: number,
  conversationId: string,
  kind: 'delivered' | 'read',
  seq: number,
  at: Date,
) =>
  trx('receipts')
    .insert({ conversation_id: conversationId, extension_id: extensionId, kind, seq, at })
    .onConflict(['conversation_id', 'extension_id', 'kind', 'seq'])
    .ignore()

/** To whoever said something of what is new, and of a reading to the reader's own phones, too. */
async function receiptsFor(
  trx: Knex,
  { extensionId, extension }: ChatCaller,
  type: 'message.read' | 'message.delivered',
  { conversationId, before, seq, now }: { conversationId: string; before: number; seq: number; now: Date },
): Promise<NewEvent[]> {
  const { rows } = await trx.raw<{ rows: { sender_id: number; id: string; seq: number }[] }>(
    `SELECT DISTINCT ON (m.sender_id) m.sender_id, m.id, m.seq FROM messages m
     JOIN participants p ON p.conversation_id = m.conversation_id AND p.extension_id = m.sender_id AND p.left_at IS NULL
     WHERE m.conversation_id = ? AND m.seq > ? AND m.seq <= ? AND m.sender_id <> ?
     ORDER BY m.sender_id, m.seq DESC LIMIT ?`,
    [conversationId, before, seq, extensionId, MOST_SENDERS],
  )
  const receipt = (messageId: string): ReceiptData => ({
    ...{ extensionId, number: extension, seq, messageId, at: now.toISOString() },
  })
  const events: NewEvent[] = rows.map((row) => ({
    ...{ to: [row.sender_id], type, conversationId, receipt: receipt(row.id) },
  }))
  if (type === 'message.read') {
    const [last] = await trx('messages').select('id').where({ conversation_id: conversationId, seq })
    if (last) events.push({ to: [extensionId], type, conversationId, receipt: receipt(last.id) })
  }
  return events
}

async function deviceOf(
  trx: Knex,
  { tenantId, extensionId, deviceKey }: ChatCaller,
): Promise<string | undefined> {
  if (deviceKey === undefined) return undefined
  const row = await trx('devices')
    .first('id')
    .where({ tenant_id: tenantId, extension_id: extensionId, device_key: deviceKey })
  return row?.id as string | undefined
}

/** What others have said that the extension did not have until now: the last of it in each conversation, in their order. */
async function ackDevice(
  trx: Knex,
  caller: ChatCaller,
  seq: number,
  now: Date,
): Promise<{ conversation_id: string; seq: number }[]> {
  const deviceId = await deviceOf(trx, caller)
  const bounds = { extensionId: caller.extensionId, seq }
  if (deviceId === undefined) return gainedSince(trx, `greatest(${ACKED}, :seq - ${LOOKED_BACK})`, bounds)
  // One statement: what it sees was there before it, so the acknowledgement does not hide what it brings.
  const acked = `, acked AS (
    INSERT INTO device_acks AS a (device_id, extension_id, seq, at)
    SELECT CAST(:deviceId AS uuid), :extensionId, least(CAST(:seq AS bigint), known.newest), :now FROM known
    ON CONFLICT (device_id) DO UPDATE SET extension_id = excluded.extension_id, at = excluded.at,
      seq = CASE WHEN a.extension_id = excluded.extension_id THEN greatest(a.seq, excluded.seq) ELSE excluded.seq END
  )`
  return gainedSince(trx, ACKED, { ...bounds, deviceId, now }, acked)
}

/** Up to which event any phone of the extension has them all. */
const ACKED = 'coalesce((SELECT max(seq) FROM device_acks WHERE extension_id = u.extension_id), u.floor_seq)'
/** Nobody has noted how far a client without a phone had got; so many events are looked at each time. */
const LOOKED_BACK = 1_000

async function gainedSince(
  trx: Knex,
  place: string,
  bindings: { extensionId: number; seq: number; deviceId?: string; now?: Date },
  beside = '',
): Promise<{ conversation_id: string; seq: number }[]> {
  const { rows } = await trx.raw<{ rows: { conversation_id: string; seq: number }[] }>(
    `WITH known AS (
       SELECT u.sync_seq AS newest, ${place} AS seq FROM chat_users u WHERE u.extension_id = :extensionId
     )${beside}
     SELECT m.conversation_id, max(m.seq) AS seq FROM known
     JOIN user_events e ON e.extension_id = :extensionId AND e.seq > known.seq AND e.seq <= :seq AND e.type = 'message.created'
     JOIN messages m ON m.id = e.message_id AND m.sender_id <> :extensionId
     GROUP BY m.conversation_id ORDER BY m.conversation_id`,
    { ...bindings },
  )
  return rows
}
