import type { Knex } from 'knex'
import { newId } from '../lib/ids.ts'
import type { ChatEventType, ConversationKind, MemberData, NotifyMode, ParticipantRole } from './chat.ts'
import { createChatUserStore } from './chat-user-store.ts'
import { createOutboxStore } from './outbox-store.ts'
import { createUserEventStore, type ToldEvent } from './user-event-store.ts'

/** What changed, and who has to be told. */
export interface Told<Result> {
  result: Result
  events: ToldEvent[]
}

export interface Owned {
  tenantId: string
  extensionId: number
}

/** What a participant wants of a conversation; what is undefined stays. */
export interface OwnSettings {
  notify?: NotifyMode | undefined
  /** Null: not muted. */
  mutedUntil?: Date | null | undefined
}

/**
 * Conversations and who is in them. Each change locks the conversation, looks whether the asker is (still) somebody who may, then
 * appends what the others are told, so that they learn of it in the order in which it happened. Undefined: he is not.
 */
export function createConversationStore(db: Knex) {
  const inTurn = <Result>(work: (trx: Knex) => Promise<Result>): Promise<Result> => db.transaction(work)
  return {
    /** The one conversation of two people, made if there is none. */
    openDirect: (owner: Owned, otherId: number, now: Date): Promise<Told<{ id: string; isNew: boolean }>> =>
      inTurn(async (trx) => {
        const directKey = [owner.extensionId, otherId].sort((a, b) => a - b).join(':')
        const [made] = await trx('conversations')
          .insert({
            ...{ id: newId(), tenant_id: owner.tenantId, kind: 'direct' },
            ...{ direct_key: directKey, created_at: now },
          })
          .onConflict(['tenant_id', 'direct_key'])
          .ignore()
          .returning('id')
        if (!made) {
          const known = await trx('conversations')
            .first('id')
            .where({ tenant_id: owner.tenantId, direct_key: directKey })
          return { result: { id: known.id as string, isNew: false }, events: [] }
        }
        const people = [...new Set([owner.extensionId, otherId])]
        await join(trx, owner.tenantId, made.id, people, { role: 'member', seq: 0, now })
        const events = await tell(trx, 'conversation.created', made.id, people, now)
        return { result: { id: made.id as string, isNew: true }, events }
      }),

    /** Of the owner and all these. */
    createGroup: (
      owner: Owned,
      { title, memberIds }: { title: string; memberIds: readonly number[] },
      now: Date,
    ): Promise<Told<string>> =>
      inTurn(async (trx) => {
        const id = newId()
        await trx('conversations').insert({
          ...{ id, tenant_id: owner.tenantId, kind: 'group', title, created_at: now },
        })
        const members = memberIds.filter((member) => member !== owner.extensionId)
        await join(trx, owner.tenantId, id, [owner.extensionId], { role: 'owner', seq: 0, now })
        await join(trx, owner.tenantId, id, members, { role: 'member', seq: 0, now })
        const events = await tell(trx, 'conversation.created', id, [owner.extensionId, ...members], now)
        return { result: id, events }
      }),

    /** What the asker may know for a change: undefined when it is not his conversation. */
    async find(
      { tenantId, extensionId }: Owned,
      id: string,
    ): Promise<{ kind: ConversationKind; role: ParticipantRole } | undefined> {
      const row = await db('conversations as c')
        .join('participants as p', 'p.conversation_id', 'c.id')
        .first('c.kind', 'p.role')
        .where({ 'c.id': id, 'c.tenant_id': tenantId, 'p.extension_id': extensionId })
        .whereNull('p.left_at')
      return row && { kind: row.kind, role: row.role }
    },

    rename: (owner: Owned, id: string, title: string, now: Date): Promise<ToldEvent[] | undefined> =>
      inTurn(async (trx) => {
        if ((await lock(trx, owner, id, 'owner')) === undefined) return undefined
        await trx('conversations').where({ id }).update({ title })
        return tell(trx, 'conversation.updated', id, await membersOf(trx, id), now)
      }),

    /** Told to the asker's own phones only. */
    setOwn: (
      owner: Owned,
      id: string,
      { notify, mutedUntil }: OwnSettings,
      now: Date,
    ): Promise<ToldEvent[]> =>
      inTurn(async (trx) => {
        const change = {
          ...(notify !== undefined && { notify }),
          ...(mutedUntil !== undefined && { muted_until: mutedUntil }),
        }
        if (Object.keys(change).length > 0) {
          await trx('participants')
            .where({ conversation_id: id, extension_id: owner.extensionId })
            .whereNull('left_at')
            .update(change)
        }
        return tell(trx, 'conversation.updated', id, [owner.extensionId], now)
      }),

    /**
     * `full`: there would be more than `most`. Who is there already stays as he is; who had left comes back, and sees what comes from
     * now on.
     */
    add: (
      owner: Owned,
      id: string,
      memberIds: readonly number[],
      { now, most }: { now: Date; most: number },
    ): Promise<ToldEvent[] | 'full' | undefined> =>
      inTurn(async (trx) => {
        const seq = await lock(trx, owner, id, 'owner')
        if (seq === undefined) return undefined
        const before = await membersOf(trx, id)
        const joining = memberIds.filter((member) => !before.includes(member))
        if (before.length + joining.length > most) return 'full'
        await join(trx, owner.tenantId, id, joining, { role: 'member', seq, now })
        const joined = (await memberData(trx, joining)).map((member) => ({
          ...{ to: before, type: 'participant.joined' as const, conversationId: id, member },
        }))
        const created = { to: joining, type: 'conversation.created' as const, conversationId: id }
        return createUserEventStore(trx).append([...joined, created], now)
      }),

    /** `absent`: he was not in it. The others are told, and he himself, so that his phones put it away. Everybody may remove himself. */
    remove: (
      asker: Owned,
      id: string,
      memberId: number,
      now: Date,
    ): Promise<ToldEvent[] | 'absent' | undefined> =>
      inTurn(async (trx) => {
        const role = memberId === asker.extensionId ? 'member' : 'owner'
        if ((await lock(trx, asker, id, role)) === undefined) return undefined
        const before = await membersOf(trx, id)
        if (!before.includes(memberId)) return 'absent'
        await trx('participants')
          .where({ conversation_id: id, extension_id: memberId })
          .update({ left_at: now, role: 'member' })
        await passOn(trx, id)
        const [member] = await memberData(trx, [memberId])
        if (!member) return []
        const userEvents = createUserEventStore(trx)
        const events = await userEvents.append(
          [{ to: before, type: 'participant.left', conversationId: id, member }],
          now,
        )
        const own = events[0]?.recipients.find(({ extensionId }) => extensionId === memberId)
        if (own) await userEvents.forget(memberId, id, own.eventSeq)
        const badge = { extensionId: memberId, tenantId: asker.tenantId, conversationIds: [id] }
        await createOutboxStore(trx).putBadges([badge])
        return events
      }),
  }
}
export type ConversationStore = ReturnType<typeof createConversationStore>

/** The number of its last message; undefined when the asker is not in it as what he has to be. */
async function lock(
  trx: Knex,
  { tenantId, extensionId }: Owned,
  id: string,
  role: ParticipantRole,
): Promise<number | undefined> {
  const row = await trx('conversations').first('last_seq').where({ id, tenant_id: tenantId }).forNoKeyUpdate()
  // In a statement of its own: one that has waited for the lock sees participants as they were before.
  const asker = await trx('participants')
    .first('role')
    .where({ conversation_id: id, extension_id: extensionId })
    .whereNull('left_at')
  const mayDoIt = asker && (role === 'member' || asker.role === role)
  return row && mayDoIt ? (row.last_seq as number) : undefined
}

async function membersOf(trx: Knex, id: string): Promise<number[]> {
  const rows = await trx('participants')
    .select('extension_id')
    .where({ conversation_id: id })
    .whereNull('left_at')
  return rows.map((row) => row.extension_id as number)
}

async function memberData(trx: Knex, ids: readonly number[]): Promise<MemberData[]> {
  const rows = await trx('extensions').select('id', 'number', 'name').whereIn('id', ids)
  return rows.map(({ id, number, name }) => ({ extensionId: id, number, name }))
}

async function join(
  trx: Knex,
  tenantId: string,
  id: string,
  people: readonly number[],
  { role, seq, now }: { role: ParticipantRole; seq: number; now: Date },
): Promise<void> {
  await createChatUserStore(trx).ensure(tenantId, people)
  await trx.raw(
    `INSERT INTO participants
       (conversation_id, extension_id, role, joined_at, joined_seq, last_read_seq, last_delivered_seq)
     SELECT ?, extension_id, ?, ?, ?, ?, ? FROM chat_users
     WHERE tenant_id = ? AND extension_id = ANY (?::bigint[]) ORDER BY extension_id
     ON CONFLICT (conversation_id, extension_id) DO UPDATE SET left_at = NULL, joined_at = excluded.joined_at,
       joined_seq = excluded.joined_seq, last_read_seq = excluded.last_read_seq,
       last_delivered_seq = excluded.last_delivered_seq, own_since_read = 0`,
    [id, role, now, seq, seq, seq, tenantId, [...people]],
  )
}

/** A group without an owner gets the one who has been there longest. */
async function passOn(trx: Knex, id: string): Promise<void> {
  await trx.raw(
    `UPDATE participants SET role = 'owner'
     WHERE conversation_id = :id AND EXISTS (SELECT FROM conversations WHERE id = :id AND kind = 'group')
       AND NOT EXISTS (SELECT FROM participants WHERE conversation_id = :id AND left_at IS NULL AND role = 'owner')
       AND extension_id = (
         SELECT extension_id FROM participants WHERE conversation_id = :id AND left_at IS NULL
         ORDER BY joined_at, extension_id LIMIT 1
       )`,
    { id },
  )
}

const tell = (trx: Knex, type: ChatEventType, conversationId: string, to: readonly number[], now: Date) =>
  createUserEventStore(trx).append([{ to, type, conversationId }], now)
