import { HOUR, MINUTE } from '../../src/lib/units.ts'
import { header } from '../../src/simulators/apns-request.ts'
import { type ChatWorld, converse, say, startChatWorld } from '../support/chat-phones.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS } from '../support/gateway.ts'

const ADA = '1002'
const BOB = '1001'
const EVE = '1003'
const PEOPLE = { [BOB]: 'Bob', [ADA]: 'Ada', [EVE]: 'Eve' }
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Ada, who writes, and Bob, whose phone is in his pocket. */
async function adaAndBob(world: ChatWorld) {
  const ada = await world.iphone(ADA)
  const bob = await world.iphone(BOB)
  await bob.home()
  bob.suspend()
  const conversationId = await converse(ada, BOB)
  return { ada, bob, conversationId }
}

describe.each(BACKENDS)('a chat message to a phone on %s', (backend) => {
  const start = () => startChatWorld({ backend }, PEOPLE)

  describe('37.3: the recipient is offline, and Apple is asked correctly', () => {
    test('a message is one alert with exactly these headers and this payload', async () => {
      await using world = await start()
      const { ada, bob, conversationId } = await adaAndBob(world)
      bob.forceQuit()
      const message = await say(ada, conversationId, 'Are you coming?')
      await world.atRest()

      const [request, ...more] = world.requestsTo(bob.token)
      expect(more).toEqual([])
      expect(request?.verdict).toEqual({ status: 200 })
      expect(request?.mismatch).toBeUndefined()
      const headers = Object.entries(request?.headers ?? {}).filter(([name]) => name.startsWith('apns-'))
      expect(Object.fromEntries(headers)).toEqual({
        'apns-id': expect.stringMatching(UUID),
        'apns-push-type': 'alert',
        'apns-topic': world.gateway.simulators.credentials.apns.bundleId,
        'apns-priority': '10',
        'apns-expiration': expect.stringMatching(/^\d+$/),
        'apns-collapse-id': `message:${conversationId}`,
      })
      const keptFor = Number(header(request?.headers ?? {}, 'apns-expiration')) * 1_000 - (request?.at ?? 0)
      expect(Math.abs(keptFor - 24 * HOUR)).toBeLessThan(MINUTE)
      expect(request?.payload).toEqual({
        aps: {
          alert: { title: 'Ada', body: 'Are you coming?' },
          badge: 1,
          sound: 'default',
          'thread-id': conversationId,
          category: 'CHAT_MESSAGE',
          'mutable-content': 1,
          'content-available': 1,
        },
        type: 'chat_message',
        push_id: request?.apnsId,
        message_id: message.id,
        conversation_id: conversationId,
        unread_count: '1',
        sender_name: 'Ada',
      })
    })

    test('the next message takes the place of the first one and says how many there are', async () => {
      await using world = await start()
      const { ada, bob, conversationId } = await adaAndBob(world)
      bob.forceQuit()
      await say(ada, conversationId, 'one')
      await world.atRest()
      await say(ada, conversationId, 'two')
      await world.atRest()
      const [, second] = world.requestsTo(bob.token)
      expect(second?.payload).toMatchObject({
        aps: {
          alert: {
            title: 'Ada',
            body: 'two',
            'subtitle-loc-key': 'UNREAD_MESSAGES',
            'subtitle-loc-args': ['2'],
          },
          badge: 2,
        },
      })
      expect(bob.notifications).toMatchObject([
        { title: 'Ada', subtitle: '2 unread messages', body: 'two', threadId: conversationId },
      ])
      expect(bob.badge).toBe(2)
    })

    test('a message in a group says who and where, and goes to all but its sender', async () => {
      await using world = await start()
      const { ada, bob } = await adaAndBob(world)
      const eve = await world.iphone(EVE)
      eve.forceQuit()
      const extensions = [BOB, EVE]
      const group = await world.ask(ada, 'POST', '/conversations', { title: 'Front desk', extensions })
      await say(ada, group.id, 'The lift is broken')
      await world.atRest()
      for (const phone of [bob, eve]) {
        expect(phone.notifications).toMatchObject([{ title: 'Front desk', body: 'Ada: The lift is broken' }])
      }
      expect(world.messagesTo(ada.token)).toEqual([])
    })
  })

  describe('37.5: a tap opens the conversation with its new messages', () => {
    test.each<[string, (phone: Awaited<ReturnType<typeof adaAndBob>>['bob']) => void]>([
      ['killed by the person', (phone) => phone.forceQuit()],
      ['killed by the system', (phone) => phone.terminate()],
      ['suspended in the background', () => undefined],
    ])('%s', async (_state, become) => {
      await using world = await start()
      const { ada, bob, conversationId } = await adaAndBob(world)
      const other = await converse(ada, EVE)
      become(bob)
      const first = await say(ada, conversationId, 'one')
      const second = await say(ada, conversationId, 'two')
      await say(ada, other, 'not for Bob')
      await world.atRest()
      expect(bob.badge).toBe(2)

      await bob.tap()

      expect(bob.state).toBe('foreground')
      expect(bob.screen).toBe(conversationId)
      expect(bob.messages(conversationId).map(({ content }) => content)).toEqual(['one', 'two'])
      expect(bob.timeline.of('open')).toMatchObject([
        { conversationId, messageIds: [first.id, second.id], fresh: [first.id, second.id] },
      ])
      expect(bob.timeline.of('read')).toMatchObject([{ conversationId, seq: 2 }])
      expect({ shown: bob.notifications, badge: bob.badge }).toEqual({ shown: [], badge: 0 })
      await world.atRest()
      const { items } = await world.ask(ada, 'GET', `/messages/${second.id}/receipts`)
      expect(items).toMatchObject([{ extension: BOB, read_at: expect.any(String) }])
    })

    test('in the foreground, connected: the app has it without a push', async () => {
      await using world = await start()
      const { ada, bob, conversationId } = await adaAndBob(world)
      await bob.open()
      await until(() => bob.isConnected, { description: 'Bob is connected' })
      const message = await say(ada, conversationId, 'You are there')
      await until(() => bob.store.has(message.id), { description: 'the message is there' })
      await world.atRest()
      expect(world.messagesTo(bob.token)).toEqual([])
      expect(bob.timeline.of('receive').at(-1)).toMatchObject({ via: 'socket', messageIds: [message.id] })
    })

    test('in the foreground, with the conversation open: it is read at once, and nobody is told', async () => {
      await using world = await start()
      const { ada, bob, conversationId } = await adaAndBob(world)
      await bob.open()
      await bob.show(conversationId)
      await until(() => bob.isConnected, { description: 'Bob is connected' })
      await say(ada, conversationId, 'before your eyes')
      await until(() => bob.timeline.of('read').length > 0, { description: 'it is read' })
      await world.atRest()
      expect(world.messagesTo(bob.token)).toEqual([])
      expect(bob.badge).toBe(0)
    })

    test('in the foreground, but its connection is dead: pushed after the grace, and shown by the app', async () => {
      await using world = await start()
      const { ada, bob, conversationId } = await adaAndBob(world)
      await bob.open()
      await until(() => bob.isConnected, { description: 'Bob is connected' })
      bob.loseConnection()
      const message = await say(ada, conversationId, 'Nobody hears me')
      await world.atRest()
      expect(world.messagesTo(bob.token)).toHaveLength(1)
      expect(bob.timeline.of('push')).toMatchObject([{ outcome: 'presented', messageId: message.id }])
      expect(bob.messages(conversationId)).toHaveLength(1)
      await bob.tap()
      expect(bob.timeline.of('open').at(-1)).toMatchObject({ conversationId, fresh: [message.id] })
    })

    test('suspended with a connection that the server takes for alive: pushed all the same', async () => {
      await using world = await start()
      const { ada, bob, conversationId } = await adaAndBob(world)
      await bob.open()
      await until(() => bob.isConnected, { description: 'Bob is connected' })
      await bob.home()
      bob.suspend({ leavingSocketOpen: true })
      await say(ada, conversationId, 'A socket is nobody')
      await world.atRest()
      expect(world.messagesTo(bob.token)).toHaveLength(1)
      expect(bob.notifications).toMatchObject([{ body: 'A socket is nobody' }])
    })
  })
})
