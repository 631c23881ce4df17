import type { Context } from '../../src/context.ts'
import { callerOf, openChatWorld, type Truth } from '../support/chat-world.ts'
import { BACKENDS } from '../support/gateway.ts'

const GROUP = 0

async function sayMany(context: Context, { people, conversations }: Truth, count: number) {
  const conversationId = conversations[GROUP]?.id ?? ''
  const sent = Array.from({ length: count }, (_, index) => {
    const caller = people[index % people.length]
    if (!caller) throw new Error('nobody speaks')
    const text = `message ${index}`
    return context.sendMessage({ caller, conversationId, clientId: text, kind: 'text', content: text })
  })
  return (await Promise.all(sent)).map(({ message }) => message)
}

describe.each(BACKENDS)('chat on %s', (backend) => {
  test('what is said at the same time has one order, without a gap, and each a moment of its own', async () => {
    await using world = await openChatWorld(backend)
    const truth = await world.begin([1, 1, 1], [])
    const messages = await sayMany(world.context, truth, 90)
    const inOrder = messages.toSorted((a, b) => a.seq - b.seq)
    expect(inOrder.map(({ seq }) => seq)).toEqual(inOrder.map((_, index) => index + 1))
    const times = inOrder.map(({ createdAt }) => createdAt.getTime())
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
  })

  test('many relays at the same time make one push for each message and phone', async () => {
    await using world = await openChatWorld(backend)
    const { context } = world
    const truth = await world.begin([1, 2, 1], [])
    await sayMany(context, truth, 90)
    const relayAll = async () => {
      while (await context.relayChat());
    }
    await Promise.all([relayAll(), relayAll(), relayAll(), relayAll()])
    await relayAll()
    expect(await context.db('chat_outbox').select('id')).toEqual([])
    // 30 of each: the first and the third are heard by three phones, the second by two.
    const [row] = await context.db('pending_pushes').count('id AS count')
    expect(Number(row?.count)).toBe(30 * 3 + 30 * 2 + 30 * 3)
  })

  test('a relay that dies costs its messages a few seconds, and nothing else', async () => {
    await using world = await openChatWorld(backend)
    const { context } = world
    const truth = await world.begin([1, 1], [])
    await sayMany(context, truth, 2)
    const taken = await context.chatOutbox.take(10)
    expect(taken).toHaveLength(2)
    expect(await context.relayChat()).toBe(false)
    expect(await context.db('pending_pushes').select('id')).toEqual([])
    // As if the time were over for which they are taken.
    await context.db('chat_outbox').update({ due_at: new Date(0) })
    await context.relayChat()
    expect(await context.db('pending_pushes').select('id')).toHaveLength(2)
    // The first one comes back to life, and finds that it is done.
    expect(await context.chatOutbox.done(taken.map(({ id }) => id))).toEqual(new Set())
  })

  test('a phone whose app is open has three seconds to have a message, and is pushed after that', async () => {
    await using world = await openChatWorld(backend)
    const { context } = world
    const truth = await world.begin([1, 1, 1], [])
    const [, open, acking] = truth.devices as [
      Truth['devices'][number],
      Truth['devices'][number],
      Truth['devices'][number],
    ]
    await context.attention.note(open.id, true)
    await context.attention.note(acking.id, true)
    const [message] = await sayMany(context, truth, 1)
    await context.relayChat()
    expect(await context.db('pending_pushes').select('id')).toEqual([])
    const [entry] = await context.db('chat_outbox').select('due_at', 'extension_ids')
    const wait = entry.due_at.getTime() - (message?.createdAt.getTime() ?? 0)
    expect(wait).toBeGreaterThan(2_900)
    expect(wait).toBeLessThan(6_000)
    await context.receipts.ack(callerOf(acking), 10, new Date())
    await context.db('chat_outbox').update({ due_at: new Date(0) })
    await context.relayChat()
    const pushes = await context.db('push_logs').select('device_id')
    expect(pushes.map(({ device_id }) => device_id)).toEqual([open.id])
  })

  test('without a licence a message is said and read, and nobody is pushed', async () => {
    await using world = await openChatWorld(backend)
    const { context } = world
    const truth = await world.begin([1, 1], [])
    await context.db('licenses').where({ tenant_id: truth.tenantId }).update({ revoked_at: new Date() })
    const [message] = await sayMany(context, truth, 1)
    await context.relayChat()
    expect(await context.db('push_logs').select('id')).toEqual([])
    const [withheld, ...rest] = await context.chatOutbox.withheldOf(message?.id ?? '')
    expect([withheld, rest]).toMatchObject([{ deviceId: truth.devices[1]?.id, reason: 'unlicensed' }, []])
    const heard = await context.conversationList.unread(truth.people)
    expect(truth.people.map(({ extensionId }) => heard.get(extensionId) ?? 0)).toEqual([0, 1])
  })
})
