import { newId } from '../../src/lib/ids.ts'
import { DAY } from '../../src/lib/units.ts'
import { pruneChat } from '../../workers/prune-chat.ts'
import type { AppUser } from '../support/app-callers.ts'
import {
  conversationOf,
  cursorOf,
  givenDirect,
  givenGroup,
  givenPeople,
  messagesOf,
  say,
  sync,
} from '../support/chat.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

/** What the housekeeping of chat forgets, and what it keeps. */
let gateway: TestGateway
let ada: AppUser
let bob: AppUser
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false, env: { PUSH_LOG_DAYS: '10' } })
})
beforeEach(async () => {
  ;[ada, bob] = (await givenPeople(gateway, 2)) as [AppUser, AppUser]
})
afterAll(() => gateway[Symbol.asyncDispose]())

const prune = () => pruneChat(gateway.context).run({}, { number: 0, last: true, pauseMs: 0 }, 'prune-chat')
const ago = (days: number) => new Date(Date.now() - days * DAY)
const remove = ({ extension }: AppUser) => gateway.pbx('DELETE', `/extensions/${extension}`)
const leave = (who: AppUser, id: string) => who.ask('POST', `/api/v1/app/conversations/${id}/leave`)
const left = async (table: string, where: Record<string, unknown>) =>
  (await gateway.context.db(table).where(where)).length

test('events of 30 days are kept, older ones are not, and who asks for those begins anew', async () => {
  const id = await givenDirect(ada, bob)
  const age = (days: number) =>
    gateway.context
      .db('user_events')
      .where({ extension_id: bob.extensionId })
      .update({ at: ago(days) })
  const since = await cursorOf(bob)
  await say(ada, id, 'old')
  await age(29)
  await prune()
  expect((await sync(bob, `?since=${since}`)).events).toMatchObject([{ message: { content: 'old' } }])
  await age(31)
  await say(ada, id, 'new')
  await prune()
  const answer = await sync(bob, `?since=${since}`)
  expect(answer).toMatchObject({ reset: true, conversations: [{ id, last_message: { content: 'new' } }] })
  expect((await messagesOf(bob, id)).items).toHaveLength(2)
})

test('why phones were not told is kept as long as the push log', async () => {
  const [old, young] = [newId(), newId()]
  const withheld = (messageId: string) => [{ messageId, extensionId: ada.extensionId, reason: 'muted' }]
  await gateway.context.chatOutbox.withhold(withheld(old), ago(11))
  await gateway.context.chatOutbox.withhold(withheld(young), ago(9))
  await prune()
  expect(await gateway.context.chatOutbox.withheldOf(old)).toEqual([])
  expect(await gateway.context.chatOutbox.withheldOf(young)).toMatchObject([{ reason: 'muted' }])
})

test('what was said where nobody is left is forgotten, however much it is', async () => {
  const [group, direct, kept] = [
    await givenGroup([ada, bob]),
    await givenDirect(ada, bob),
    await givenDirect(ada, ada),
  ]
  for (const id of [group, direct, kept]) await say(ada, id)
  const copies = Array.from({ length: 2_500 }, (_, n) => n + 2)
  await gateway.context.db.raw(
    `INSERT INTO messages (id, conversation_id, seq, sender_id, sender_number, sender_name, client_id, kind, content, created_at)
     SELECT gen_random_uuid(), ?, n, 0, '', '', n::text, 'text', '', now() FROM unnest(?::int[]) AS n`,
    [group, copies],
  )
  await leave(bob, group)
  await prune()
  expect(await left('messages', { conversation_id: group })).toBe(2_501)
  await leave(ada, group)
  await remove(bob)
  await prune()
  expect(await left('messages', { conversation_id: group })).toBe(0)
  expect(await left('conversations', { id: group })).toBe(0)
  expect((await messagesOf(ada, direct)).items).toHaveLength(1)
  expect((await messagesOf(ada, kept)).items).toHaveLength(1)
  await remove(ada)
  await prune()
  expect(await left('conversations', { id: direct })).toBe(0)
})

test('a cursor from before goes on where its conversation is gone', async () => {
  const group = await givenGroup([ada, bob])
  const since = await cursorOf(bob)
  await say(ada, group, 'gone')
  await leave(ada, group)
  await leave(bob, group)
  await prune()
  const { events, more } = await sync(bob, `?since=${since}`)
  // His own leaving; what was before it is nothing that he is told any more.
  expect(events.map(({ type }: { type: string }) => type)).toEqual(['participant.left'])
  expect(more).toBe(false)
})

test('who has left long ago is forgotten, who has left lately is not', async () => {
  const group = await givenGroup([ada, bob])
  await leave(bob, group)
  const participants = { conversation_id: group, extension_id: bob.extensionId }
  await prune()
  expect(await left('participants', participants)).toBe(1)
  await gateway.context
    .db('participants')
    .where(participants)
    .update({ left_at: ago(31) })
  await prune()
  expect(await left('participants', participants)).toBe(0)
  expect(await conversationOf(ada, group)).toMatchObject({ role: 'owner' })
})

test('a group whose owner is gone altogether gets the one who has been there longest', async () => {
  const [cleo] = (await givenPeople(gateway, 1)) as [AppUser]
  const group = await givenGroup([ada, bob])
  await ada.post(`/api/v1/app/conversations/${group}/participants`, { extensions: [cleo.extension] })
  await remove(ada)
  await prune()
  expect(await conversationOf(bob, group)).toMatchObject({ role: 'owner' })
  expect(await conversationOf(cleo, group)).toMatchObject({ role: 'member' })
})
