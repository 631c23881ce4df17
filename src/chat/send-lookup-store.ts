import type { Knex } from 'knex'
import { numberArray } from '../db/number-array.ts'
import type { ChatCaller, ChatMessage } from './chat.ts'
import { type MessageRow, PREFIXED_MESSAGE, toMessage } from './message-row.ts'

/** Which message of whom is asked for. */
interface Asked {
  caller: ChatCaller
  conversationId: string
  clientId: string
  /** Numbers of extensions. */
  mentions?: readonly string[] | undefined
}
export const keyOf = ({ conversationId, caller, clientId }: Asked): string =>
  `${conversationId} ${caller.extensionId} ${clientId}`

/** A conversation that nobody else can say anything in until the transaction ends. */
export interface Conversation {
  id: string
  lastSeq: number
  /** Milliseconds since the epoch, of its last message. */
  lastAt: number
  /** The database's own time: no node's clock puts a message before the one that it answers. */
  now: number
  members: ReadonlySet<number>
  /** Of them, those who say something and those who are mentioned. */
  named: readonly Named[]
}
export interface Named {
  extensionId: number
  number: string
  name: string
}

/** What has to be known before a message is stored. Within a transaction. */
export const createSendLookups = (trx: Knex) => ({
  /** Locks them in the order of their ids; those that the tenant does not have are missing. */
  lock: (items: readonly Asked[]): Promise<Map<string, Conversation>> => lock(trx, items),

  /** What the senders have sent under the same ids before. */
  known: (items: readonly Asked[]): Promise<Map<string, ChatMessage>> => findKnown(trx, items),

  /** In which conversations these messages are. */
  async conversationsOf(messageIds: readonly (string | undefined)[]): Promise<Map<string, string>> {
    const ids = messageIds.filter((id) => id !== undefined)
    if (ids.length === 0) return new Map()
    const rows = await trx('messages').select('id', 'conversation_id').whereIn('id', ids)
    return new Map(rows.map((row) => [row.id as string, row.conversation_id as string]))
  },
})

async function lock(trx: Knex, items: readonly Asked[]): Promise<Map<string, Conversation>> {
  const ids = [...new Set(items.map(({ conversationId }) => conversationId))]
  const tenants = [...new Set(items.map(({ caller }) => caller.tenantId))]
  const { rows } = await trx.raw<{ rows: ConversationRow[] }>(
    `SELECT id, tenant_id, last_seq, extract(epoch FROM last_message_at) * 1000 AS last_at,
       extract(epoch FROM clock_timestamp()) * 1000 AS now
     FROM conversations WHERE id = ANY (?::uuid[]) AND tenant_id = ANY (?::uuid[]) ORDER BY id FOR NO KEY UPDATE`,
    [ids, tenants],
  )
  const members = await findMembers(trx, rows, items)
  return new Map(
    rows.map((row) => [
      row.id,
      {
        ...{ id: row.id, lastSeq: row.last_seq },
        ...{ lastAt: Math.ceil(Number(row.last_at ?? 0)), now: Math.floor(Number(row.now)) },
        ...(members.get(row.id) ?? { members: new Set<number>(), named: [] }),
      },
    ]),
  )
}

/** A row for each conversation, not for each of its people: there are many of them, and hardly anything of them is asked. */
async function findMembers(
  trx: Knex,
  conversations: readonly ConversationRow[],
  items: readonly Asked[],
): Promise<Map<string, Pick<Conversation, 'members' | 'named'>>> {
  const { rows } = await trx.raw<{ rows: MembersRow[] }>(
    `SELECT c.id, string_agg(e.id::text, ',') AS members,
       json_agg(json_build_object('extensionId', e.id, 'number', e.number, 'name', e.name))
         FILTER (WHERE e.id = ANY (?::bigint[]) OR e.number = ANY (?::text[])) AS named
     FROM conversations c
     JOIN participants p ON p.conversation_id = c.id AND p.left_at IS NULL
     JOIN extensions e ON e.id = p.extension_id AND e.tenant_id = c.tenant_id
     WHERE c.id = ANY (?::uuid[]) GROUP BY c.id`,
    [
      numberArray([...new Set(items.map(({ caller }) => caller.extensionId))]),
      [...new Set(items.flatMap(({ mentions }) => mentions ?? []))],
      conversations.map(({ id }) => id),
    ],
  )
  return new Map(
    rows.map(({ id, members, named }) => [
      id,
      { members: new Set(members.split(',').map(Number)), named: named ?? [] },
    ]),
  )
}

async function findKnown(trx: Knex, items: readonly Asked[]): Promise<Map<string, ChatMessage>> {
  const { rows } = await trx.raw<{ rows: MessageRow[] }>(
    `SELECT ${PREFIXED_MESSAGE} FROM unnest(?::uuid[], ?::bigint[], ?::text[]) AS a (conversation_id, sender_id, client_id)
     JOIN messages m USING (conversation_id, sender_id, client_id)`,
    [
      items.map(({ conversationId }) => conversationId),
      items.map(({ caller }) => caller.extensionId),
      items.map(({ clientId }) => clientId),
    ],
  )
  return new Map(
    rows.map((row) => [`${row.conversation_id} ${row.sender_id} ${row.client_id}`, toMessage(row)]),
  )
}

interface ConversationRow {
  id: string
  tenant_id: string
  last_seq: number
  last_at: string | number | null
  now: string | number
}
interface MembersRow {
  id: string
  members: string
  named: Named[] | null
}
