import { HOUR } from '../../src/lib/units.ts'
import type { Iphone } from '../../src/simulators/chat-device/iphone.ts'
import { type ChatWorld, converse, say, startChatWorld } from '../support/chat-phones.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS } from '../support/gateway.ts'

const BOB = '1001'
const ADA = '1002'
const EVE = '1003'
const PEOPLE = { [BOB]: 'Bob', [ADA]: 'Ada', [EVE]: 'Eve' }

/** Ada, who writes, and Bob, whose phone is in his pocket. */
async function adaAndBob(world: ChatWorld, wishes: { momentMs?: number } = {}) {
  const [ada, bob] = [await world.iphone(ADA), await world.iphone(BOB, wishes)]
  const conversationId = await converse(ada, BOB)
  await bob.home()
  bob.suspend()
  return { ada, bob, conversationId }
}
const textsOf = (phone: Iphone, conversationId: string) =>
  phone.messages(conversationId).map(({ content }) => content)
const alertOf = (world: ChatWorld, phone: Iphone) =>
  world.messagesTo(phone.token).map(({ payload }) => (payload.aps as { alert: unknown }).alert)

describe.each(BACKENDS)('37.5: user states on %s', (backend) => {
  const start = () => startChatWorld({ backend }, PEOPLE)

  test('notifications denied: Apple is asked, nothing is shown, and the app fetches in the background', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    bob.allowNotifications(false)
    await say(ada, conversationId, 'unseen')
    await world.atRest()
    expect(world.messagesTo(bob.token)).toHaveLength(1)
    expect(bob.timeline.of('push')).toMatchObject([{ outcome: 'silent', why: 'notifications are denied' }])
    expect({ shown: bob.notifications, badge: bob.badge }).toEqual({ shown: [], badge: 0 })
    expect(textsOf(bob, conversationId)).toEqual(['unseen'])
    await bob.open()
    await bob.show(conversationId)
    expect(bob.timeline.of('open').at(-1)?.fresh).toHaveLength(1)
  })

  test('restarted and not unlocked: shown as the push says it; nothing is fetched before a tap unlocks it', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    bob.reboot()
    await say(ada, conversationId, 'Good morning')
    await world.atRest()
    expect(bob.notifications).toMatchObject([{ title: 'Ada', body: 'Good morning' }])
    expect(textsOf(bob, conversationId)).toEqual([])
    await bob.tap()
    expect(bob.screen).toBe(conversationId)
    expect(textsOf(bob, conversationId)).toEqual(['Good morning'])
    expect(bob.badge).toBe(0)
  })

  test('preview none: Apple reads neither text nor name; the phone fetches them, unless it is locked', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    await world.ask(bob, 'PUT', '/push-settings', { preview: 'none' })
    bob.forceQuit()
    await say(ada, conversationId, 'for your eyes only')
    await world.atRest()
    const [request] = world.requestsTo(bob.token)
    expect(JSON.stringify([request?.payload, request?.headers])).not.toMatch(/Ada|eyes/)
    expect(alertOf(world, bob)).toEqual([{ 'loc-key': 'NEW_MESSAGE' }])
    expect(bob.notifications).toMatchObject([{ body: 'for your eyes only' }])

    bob.reboot()
    await say(ada, conversationId, 'nor for those')
    await world.atRest()
    expect(bob.notifications).toMatchObject([
      { title: '', body: 'New message', subtitle: '2 unread messages' },
    ])
    await bob.tap()
    expect(textsOf(bob, conversationId)).toEqual(['for your eyes only', 'nor for those'])
  })

  test('preview sender: Apple reads who, not what', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    await world.ask(bob, 'PUT', '/push-settings', { preview: 'sender' })
    await say(ada, conversationId, 'not for Apple')
    await world.atRest()
    expect(alertOf(world, bob)).toEqual([{ title: 'Ada', 'loc-key': 'NEW_MESSAGE' }])
    expect(bob.notifications).toMatchObject([{ title: 'Ada', body: 'not for Apple' }])
  })

  test.each<[string, string, (world: ChatWorld, bob: Iphone, conversationId: string) => Promise<unknown>]>([
    [
      'muted for an hour',
      'muted',
      (world, bob, id) =>
        world.ask(bob, 'PUT', `/conversations/${id}/settings`, {
          muted_until: new Date(Date.now() + HOUR).toISOString(),
        }),
    ],
    [
      'muted altogether',
      'muted',
      (world, bob, id) => world.ask(bob, 'PUT', `/conversations/${id}/settings`, { notify: 'none' }),
    ],
    [
      'do not disturb for calls and all else',
      'dnd',
      (world, bob) => world.ask(bob, 'PUT', '/me', { dnd: true }),
    ],
    [
      'do not disturb until later',
      'dnd',
      (world, bob) =>
        world.ask(bob, 'PUT', '/push-settings', { dnd_until: new Date(Date.now() + HOUR).toISOString() }),
    ],
  ])('%s: no alert, a reason, and a number that follows in silence', async (_state, reason, become) => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    await become(world, bob, conversationId)
    const message = await say(ada, conversationId, 'psst')
    await world.atRest()
    expect(world.messagesTo(bob.token)).toEqual([])
    expect(await world.reasons(message.id)).toEqual([reason])
    expect({ shown: bob.notifications, badge: bob.badge }).toEqual({ shown: [], badge: 1 })
    await bob.open()
    expect(textsOf(bob, conversationId)).toEqual(['psst'])
  })

  test('only mentions: what mentions him is pushed, the rest is not', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    await world.ask(bob, 'PUT', `/conversations/${conversationId}/settings`, { notify: 'mentions' })
    bob.forceQuit()
    const said = (content: string, mentions: string[]) =>
      world.ask(ada, 'POST', `/conversations/${conversationId}/messages`, {
        client_id: content,
        content,
        mentions,
      })
    await said('everybody', [])
    await said('Bob!', [BOB])
    await world.atRest()
    expect(alertOf(world, bob)).toMatchObject([{ body: 'Bob!' }])
  })

  test('who has left a group is told nothing more, neither by push nor when he looks', async () => {
    await using world = await start()
    const { ada, bob } = await adaAndBob(world)
    const extensions = [BOB, EVE]
    const group = await world.ask(ada, 'POST', '/conversations', { title: 'Front desk', extensions })
    await world.ask(bob, 'POST', `/conversations/${group.id}/leave`)
    const pushes = world.messagesTo(bob.token).length
    await say(ada, group.id, 'without Bob')
    await world.atRest()
    expect(world.messagesTo(bob.token)).toHaveLength(pushes)
    await bob.open()
    expect(textsOf(bob, group.id)).toEqual([])
    expect(bob.badge).toBe(0)
  })

  test('what was deleted is taken back from the phone that shows it', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    const message = await say(ada, conversationId, 'oops')
    await world.atRest()
    expect(bob.notifications).toHaveLength(1)
    await world.ask(ada, 'DELETE', `/messages/${message.id}`)
    await world.atRest()
    expect({ shown: bob.notifications, badge: bob.badge }).toEqual({ shown: [], badge: 0 })
  })
})

describe.each(BACKENDS)('37.5: network conditions on %s', (backend) => {
  const start = () => startChatWorld({ backend }, PEOPLE)

  test('off line: Apple keeps the newest of each conversation; back on line one notification says how many', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    const eve = await world.iphone(EVE)
    const withEve = await converse(eve, BOB)
    bob.network('none')
    for (const text of ['one', 'two', 'three']) {
      await say(ada, conversationId, text)
      await world.atRest()
    }
    await say(eve, withEve, 'me, too')
    await world.atRest()
    expect(bob.timeline.of('push')).toEqual([])
    expect(world.gateway.simulators.apns.keptFor(bob.token)).toHaveLength(2)

    bob.network('good')
    await bob.settled()
    expect(bob.notifications).toMatchObject([
      { title: 'Ada', subtitle: '3 unread messages', body: 'three' },
      { title: 'Eve', subtitle: '', body: 'me, too' },
    ])
    expect(bob.badge).toBe(4)
    await bob.tap(bob.notifications[0])
    expect(bob.screen).toBe(conversationId)
    expect(textsOf(bob, conversationId)).toEqual(['one', 'two', 'three'])
    expect(bob.badge).toBe(1)
  })

  test('a tap without a network: the conversation opens with what is there, and the rest comes with the network', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    bob.forceQuit()
    await say(ada, conversationId, 'under the tunnel')
    await world.atRest()
    bob.network('none')
    await bob.tap()
    expect(bob.timeline.of('open')).toMatchObject([{ conversationId, messageIds: [] }])
    bob.network('good')
    await until(() => bob.timeline.of('read').length > 0, { description: 'it is read' })
    expect(textsOf(bob, conversationId)).toEqual(['under the tunnel'])
    expect(bob.screen).toBe(conversationId)
    await until(() => bob.badge === 0, { description: 'the number is gone' })
  })

  test('so slow that its moment in the background is over: shown, and fetched when it is opened', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world, { momentMs: 50 })
    bob.network({ slowMs: 200 })
    await say(ada, conversationId, 'patience')
    await world.atRest()
    expect(bob.notifications).toMatchObject([{ body: 'patience' }])
    expect(bob.timeline.of('fail')).toMatchObject([{ what: 'sync', reason: 'it took too long' }])
    expect(textsOf(bob, conversationId)).toEqual([])
    await bob.tap()
    expect(textsOf(bob, conversationId)).toEqual(['patience'])
    expect(bob.badge).toBe(0)
  })

  test('an answer that got lost: said again, the message is one, and so is the push', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    bob.forceQuit()
    ada.network('answers lost')
    expect(await ada.send(conversationId, 'once', 'same-id')).toBeUndefined()
    ada.network('good')
    const message = await ada.send(conversationId, 'once', 'same-id')
    await world.atRest()
    expect(world.messagesTo(bob.token)).toHaveLength(1)
    await bob.tap()
    expect(bob.messages(conversationId).map(({ id }) => id)).toEqual([message?.id])
  })

  test('Apple is away for a moment: the push comes later, and once', async () => {
    await using world = await start()
    const { ada, bob, conversationId } = await adaAndBob(world)
    bob.forceQuit()
    const busy = { status: 503, reason: 'ServiceUnavailable' }
    world.gateway.simulators.apns.answers(bob.token, busy, { reset: true })
    await say(ada, conversationId, 'in spite of all')
    await world.atRest()
    const statuses = world.messagesTo(bob.token).map(({ verdict }) => verdict.status)
    expect(statuses).toEqual([503, 0, 200])
    expect(new Set(world.messagesTo(bob.token).map(({ apnsId }) => apnsId)).size).toBe(1)
    expect(bob.timeline.of('push')).toHaveLength(1)
  })
})
