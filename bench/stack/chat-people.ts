import { createSignAppToken } from '../../src/app/app-token.ts'
import { userIdOf } from '../../src/chat/chat.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { newId } from '../../src/lib/ids.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { HOUR } from '../../src/lib/units.ts'
import type { Stack } from './start-stack.ts'

/** Somebody who is logged in, and the group that he is in. */
export interface ChatPerson {
  token: string
  conversationId: string
}

/** People in groups of the same size, made in the database: by requests it would take longer than what is measured. */
export async function givenGroups(
  { db, tenant: { tenantId }, env }: Stack,
  { prefix, groups, size }: { prefix: string; groups: number; size: number },
): Promise<ChatPerson[]> {
  const numbers = Array.from({ length: groups * size }, (_, i) => `${prefix}${i}`)
  const { rows } = await db.raw<{ rows: { id: number; number: string }[] }>(
    `INSERT INTO extensions (tenant_id, number) SELECT ?, unnest(?::text[]) RETURNING id, number`,
    [tenantId, numbers],
  )
  const ids = rows.map(({ id }) => id)
  const sessions = ids.map(() => newId())
  const conversations = Array.from({ length: groups }, () => newId())
  const groupOf = ids.map((_, i) => conversations[Math.floor(i / size)] ?? '')
  await db.raw(
    `INSERT INTO app_sessions (id, tenant_id, extension_id, created_at, last_seen_at, expires_at)
     SELECT id, ?, extension_id, now(), now(), now() + interval '1 hour' FROM unnest(?::uuid[], ?::bigint[]) AS s (id, extension_id)`,
    [tenantId, sessions, ids],
  )
  await db.raw(
    `INSERT INTO chat_users (extension_id, tenant_id, user_id)
     SELECT extension_id, ?, user_id FROM unnest(?::bigint[], ?::uuid[]) AS u (extension_id, user_id)`,
    [tenantId, ids, ids.map((id) => userIdOf(tenantId, id))],
  )
  await db.raw(
    `INSERT INTO conversations (id, tenant_id, kind, created_at) SELECT unnest(?::uuid[]), ?, 'group', now()`,
    [conversations, tenantId],
  )
  await db.raw(
    `INSERT INTO participants (conversation_id, extension_id, role, joined_at, joined_seq, last_read_seq, last_delivered_seq)
     SELECT conversation_id, extension_id, 'member', now(), 0, 0, 0
     FROM unnest(?::uuid[], ?::bigint[]) AS p (conversation_id, extension_id)`,
    [groupOf, ids],
  )
  const { appTokenSecret } = createKeyring(Buffer.from(env.WAKELINE_SECRET, 'hex'))
  const sign = createSignAppToken({ secret: appTokenSecret, clock: systemClock })
  return Promise.all(
    rows.map(async ({ id: extensionId, number: extension }, i) => {
      const { token } = await sign({ extensionId, extension, sessionId: sessions[i] ?? '' }, HOUR)
      return { token, conversationId: groupOf[i] ?? '' }
    }),
  )
}
