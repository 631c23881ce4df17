import type { Knex } from 'knex'
import type { ChatMessage } from './chat.ts'
import type { Owned } from './conversation-store.ts'
import { type MessageRow, PREFIXED_MESSAGE, toMessage } from './message-row.ts'
import { createOutboxStore } from './outbox-store.ts'
import { createUserEventStore, type ToldEvent } from './user-event-store.ts'

/** `foreign`: he may read it, but somebody else has said it. `deleted`: it is gone already. */
export type Changed =
  | { is: 'changed'; message: ChatMessage; events: ToldEvent[] }
  | { is: 'unknown' | 'foreign' | 'deleted' }

/** What becomes of a message after it was sent. */
export function createMessageChangeStore(db: Knex) {
  return {
    edit: (owner: Owned, id: string, content: string, now: Date): Promise<Changed> =>
      db.transaction((trx) => change(trx, owner, id, { content, edited_at: now }, now)),

    /** It stays as an empty place, so that nobody's numbers change. */
    remove: (owner: Owned, id: string, now: Date): Promise<Changed> =>
      db.transaction(async (trx) => {
        const changed = await change(trx, owner, id, { content: '', mentions: [], deleted_at: now }, now)
        if (changed.is === 'changed') await putBadges(trx, owner.tenantId, changed.message)
        return changed
      }),
  }
}
export type MessageChangeStore = ReturnType<typeof createMessageChangeStore>

async function change(
  trx: Knex,
  owner: Owned,
  id: string,
  columns: Record<string, unknown>,
  now: Date,
): Promise<Changed> {
  const place = await readable(trx, owner, id)
  if (!place) return { is: 'unknown' }
  // Like whoever sends: the conversation first. Who has waited for it may have been taken out meanwhile.
  await trx('conversations').select('id').where({ id: place.conversation_id }).forNoKeyUpdate()
  const still = await readable(trx, owner, id)
  if (!still) return { is: 'unknown' }
  if (still.sender_id !== owner.extensionId) return { is: 'foreign' }
  const changed = await trx('messages').where({ id }).whereNull('deleted_at').update(columns)
  if (changed === 0) return { is: 'deleted' }
  const { rows } = await trx.raw<{ rows: MessageRow[] }>(
    `SELECT ${PREFIXED_MESSAGE} FROM messages m WHERE m.id = ?`,
    [id],
  )
  // Who came later has never seen it.
  const members = await trx('participants')
    .select('extension_id')
    .where({ conversation_id: still.conversation_id })
    .where('joined_seq', '<', still.seq)
    .whereNull('left_at')
  const type = 'deleted_at' in columns ? 'message.deleted' : 'message.edited'
  const message = toMessage(rows[0] as MessageRow)
  const { conversationId } = message
  const to = members.map((member) => member.extension_id as number)
  const events = await createUserEventStore(trx).append([{ to, type, conversationId, message }], now)
  return { is: 'changed', message, events }
}

interface Place {
  conversation_id: string
  sender_id: number
  seq: number
}

/** Where a message is that the asker may read. */
async function readable(trx: Knex, { tenantId, extensionId }: Owned, id: string): Promise<Place | undefined> {
  const { rows } = await trx.raw<{ rows: Place[] }>(
    `SELECT m.conversation_id, m.sender_id, m.seq FROM messages m
     JOIN conversations c ON c.id = m.conversation_id AND c.tenant_id = ?
     JOIN participants p ON p.conversation_id = c.id AND p.extension_id = ? AND p.left_at IS NULL AND m.seq > p.joined_seq
     WHERE m.id = ?`,
    [tenantId, extensionId, id],
  )
  return rows[0]
}

/** Whoever had not read it has one less to read, and perhaps nothing any more. */
async function putBadges(trx: Knex, tenantId: string, message: ChatMessage): Promise<void> {
  const { rows } = await trx.raw<{ rows: { extension_id: number; rest: boolean }[] }>(
    `SELECT p.extension_id, EXISTS (
       SELECT FROM messages o WHERE o.conversation_id = p.conversation_id AND o.seq > greatest(p.last_read_seq, p.joined_seq)
         AND o.deleted_at IS NULL AND o.sender_id <> p.extension_id) AS rest
     FROM participants p
     WHERE p.conversation_id = ? AND p.left_at IS NULL AND p.extension_id <> ? AND greatest(p.last_read_seq, p.joined_seq) < ?`,
    [message.conversationId, message.senderId, message.seq],
  )
  await createOutboxStore(trx).putBadges(
    rows.map(({ extension_id, rest }) => ({
      ...{ extensionId: extension_id, tenantId },
      conversationIds: rest ? [] : [message.conversationId],
    })),
  )
}
