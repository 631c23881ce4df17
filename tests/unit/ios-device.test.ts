import { randomUUID } from 'node:crypto'
import type { Clock } from '../../src/lib/clock.ts'
import { HOUR } from '../../src/lib/units.ts'
import type { AppState } from '../../src/simulators/chat-device/device-timeline.ts'
import type { ApnsArrival } from '../../src/simulators/chat-device/ios-push.ts'
import { applyIosRules, type PhoneSituation } from '../../src/simulators/chat-device/ios-rules.ts'
import { createIphone, type Iphone } from '../../src/simulators/chat-device/iphone.ts'
import { createPushListeners } from '../../src/simulators/push-listeners.ts'
import {
  CONVERSATION,
  type FakeMessengerServer,
  startFakeMessengerServer,
} from '../support/fake-messenger-server.ts'

const MESSAGE = { alert: true, sound: true, badge: 1, mutableContent: true, contentAvailable: true }
const BADGE = { alert: false, sound: false, badge: 0, mutableContent: false, contentAvailable: true }
const SITUATION: PhoneSituation = {
  app: 'suspended',
  notificationsAllowed: true,
  backgroundRefresh: true,
  wakesLeft: 3,
}

describe('what iOS does with a push', () => {
  test.each<[AppState, string, boolean]>([
    ['foreground', 'app', true],
    ['background', 'system', true],
    ['suspended', 'system', true],
    ['terminated', 'system', true],
    ['force-quit', 'system', false],
  ])('%s: an alert is presented by the %s, and content-available wakes: %s', (app, presenter, wakes) => {
    expect(applyIosRules(MESSAGE, { ...SITUATION, app })).toMatchObject({
      ...{ presenter, wakes, sound: true, badge: 1 },
      runsExtension: true,
    })
  })

  test('denied: nothing is seen, heard or counted, no extension runs, and the app may be woken', () => {
    const verdict = applyIosRules(MESSAGE, { ...SITUATION, notificationsAllowed: false })
    expect(verdict).toMatchObject({ presenter: 'nobody', sound: false, runsExtension: false, wakes: true })
    expect(verdict.badge).toBeUndefined()
  })

  test('a number for the icon is no alert, and no extension runs for it', () => {
    expect(applyIosRules(BADGE, SITUATION)).toMatchObject({
      ...{ presenter: 'nobody', badge: 0, runsExtension: false, wakes: true },
    })
  })

  test.each([
    ['the background time is used up', { wakesLeft: 0 }],
    ['background app refresh is off', { backgroundRefresh: false }],
  ])('%s: the alert is shown and the app is not woken', (_, changes) => {
    const verdict = applyIosRules(MESSAGE, { ...SITUATION, ...changes })
    expect(verdict).toMatchObject({ presenter: 'system', wakes: false })
  })

  test('without mutable-content there is no extension, without content-available no waking', () => {
    const plain = { ...MESSAGE, mutableContent: false, contentAvailable: false }
    const verdict = applyIosRules(plain, SITUATION)
    expect(verdict).toMatchObject({ presenter: 'system', runsExtension: false, wakes: false })
    expect(verdict.wakeWhy).toBeUndefined()
  })
})

describe('an iPhone with the messenger', () => {
  let server: FakeMessengerServer
  let phone: Iphone
  let errors: Error[]
  let now: number
  let push: (payload?: Record<string, unknown>, headers?: Record<string, string>) => Promise<void>

  beforeEach(async () => {
    server = await startFakeMessengerServer()
    errors = []
    now = 1_000_000_000_000
    const clock: Clock = { now: () => now, monotonic: () => now }
    const listeners = createPushListeners<ApnsArrival>()
    const token = 'ab'.repeat(32)
    phone = createIphone({
      ...{ url: server.url, token, deviceId: 'phone-1', clock, onError: (error) => errors.push(error) },
      line: { ...listeners, loses: () => undefined, regains: () => undefined },
    })
    push = async (payload = {}, headers = {}) => {
      listeners.emit({ token, at: now, apnsId: randomUUID(), headers, payload })
      await phone.settled()
    }
    await phone.logIn('1001', 'secret')
  })
  afterEach(async () => {
    phone.close()
    await server[Symbol.asyncDispose]()
    expect(errors).toEqual([])
  })

  /** As Wakeline words it. */
  const messagePush = ({ id, content }: { id: string; content: string }, unread = 1, hidden = false) =>
    push(
      {
        aps: {
          alert: {
            ...(hidden ? { 'loc-key': 'NEW_MESSAGE' } : { title: 'Ada', body: content }),
            ...(unread > 1 && {
              'subtitle-loc-key': 'UNREAD_MESSAGES',
              'subtitle-loc-args': [String(unread)],
            }),
          },
          ...{ badge: unread, sound: 'default', 'thread-id': CONVERSATION },
          ...{ 'mutable-content': 1, 'content-available': 1 },
        },
        ...{ type: 'chat_message', message_id: id, conversation_id: CONVERSATION },
      },
      { 'apns-collapse-id': `message:${CONVERSATION}` },
    )
  const badgePush = (badge: number, cleared?: string) =>
    push({
      aps: { badge, ...(cleared !== undefined && { 'content-available': 1 }) },
      type: 'badge',
      ...(cleared !== undefined && { cleared_conversations: cleared }),
    })
  const pushes = () => phone.timeline.of('push').map(({ outcome, why }) => `${outcome}: ${why}`)

  test('suspended: the system shows it, the app fetches for a moment, and is suspended again', async () => {
    phone.suspend()
    const message = server.says('Lunch?')
    await messagePush(message)
    expect(phone.notifications).toMatchObject([
      { title: 'Ada', body: 'Lunch?', subtitle: '', withSound: true, threadId: CONVERSATION },
    ])
    expect(phone.badge).toBe(1)
    expect(phone.messages(CONVERSATION).map(({ content }) => content)).toEqual(['Lunch?'])
    expect(server.acknowledged).toBe(server.eventCount)
    expect(phone.state).toBe('suspended')
    const states = phone.timeline.of('state').map(({ state }) => state)
    expect(states).toEqual(['foreground', 'suspended', 'background', 'suspended'])
  })

  test('force-quit: the system shows it, and nothing is fetched until the person taps it', async () => {
    phone.forceQuit()
    const first = server.says('one')
    await messagePush(first)
    await messagePush(server.says('two'), 2)
    expect(phone.notifications).toMatchObject([{ body: 'two', subtitle: '2 unread messages' }])
    expect(phone.timeline.of('wake')).toMatchObject([{ woken: false }, { woken: false }])
    expect(phone.messages(CONVERSATION)).toEqual([])

    await phone.tap()
    expect(phone.state).toBe('foreground')
    expect(phone.screen).toBe(CONVERSATION)
    expect(phone.messages(CONVERSATION).map(({ content }) => content)).toEqual(['one', 'two'])
    expect(phone.timeline.of('open').at(-1)?.fresh).toHaveLength(2)
    expect(server.readSeq).toBe(2)
    expect({ badge: phone.badge, notifications: phone.notifications }).toEqual({
      badge: 0,
      notifications: [],
    })
  })

  test('foreground: the app is asked, and shows only what it does not have and what is not open', async () => {
    const early = server.says('already here')
    await phone.open()
    await messagePush(early)
    await messagePush(server.says('not here'), 2)
    await phone.show(CONVERSATION)
    await messagePush(server.says('before my eyes'))
    expect(pushes()).toEqual([
      'suppressed: the app has the message already',
      'presented: the app had not got the message',
      'suppressed: the conversation is open',
    ])
    expect(phone.messages(CONVERSATION)).toHaveLength(3)
    expect(server.readSeq).toBe(3)
  })

  test('denied: nothing is shown and there is no number, but the app fetches', async () => {
    phone.allowNotifications(false)
    phone.suspend()
    await messagePush(server.says('unseen'))
    expect(pushes()).toEqual(['silent: notifications are denied'])
    expect({ badge: phone.badge, shown: phone.notifications }).toEqual({ badge: 0, shown: [] })
    expect(phone.messages(CONVERSATION)).toHaveLength(1)
  })

  test('restarted and not unlocked: shown as the push says it, and nothing can be fetched', async () => {
    phone.reboot()
    const before = server.requests.length
    await messagePush(server.says('hidden'), 1, true)
    expect(phone.notifications).toMatchObject([{ title: '', body: 'New message' }])
    expect(server.requests).toHaveLength(before)
    const reasons = phone.timeline.of('fail').map(({ reason }) => reason)
    expect(reasons.slice(-2)).toEqual(['the keychain is locked', 'the keychain is locked'])

    await phone.tap()
    expect(phone.messages(CONVERSATION).map(({ content }) => content)).toEqual(['hidden'])
  })

  test('the service extension fetches what the push does not say, even when the app was force-quit', async () => {
    phone.forceQuit()
    await messagePush(server.says('only for me'), 1, true)
    expect(phone.notifications).toMatchObject([{ body: 'only for me' }])
    // It has seen the text; that the phone has everything says only the app.
    expect(server.acknowledged).toBeLessThan(server.eventCount)
  })

  test('without a network the extension shows what the push says', async () => {
    phone.suspend()
    phone.network('none')
    await messagePush(server.says('only for me'), 1, true)
    expect(phone.notifications).toMatchObject([{ body: 'New message' }])
    expect(phone.timeline.of('extension')).toMatchObject([{ changed: false }])
  })

  test('the app is woken three times in an hour', async () => {
    phone.suspend()
    for (let count = 0; count < 5; count += 1) await messagePush(server.says(`number ${count}`))
    expect(phone.timeline.of('wake').map(({ woken }) => woken)).toEqual([true, true, true, false, false])
    expect(phone.messages(CONVERSATION)).toHaveLength(3)
    now += HOUR + 1
    await messagePush(server.says('an hour later'))
    expect(phone.messages(CONVERSATION)).toHaveLength(6)
  })

  test('what was read elsewhere is taken back by the app, if it is woken', async () => {
    phone.suspend()
    await messagePush(server.says('read on the tablet'))
    server.readsElsewhere(1)
    await badgePush(0, CONVERSATION)
    expect({ badge: phone.badge, shown: phone.notifications }).toEqual({ badge: 0, shown: [] })

    phone.forceQuit()
    await messagePush(server.says('read there, too'))
    server.readsElsewhere(2)
    await badgePush(0, CONVERSATION)
    expect({ badge: phone.badge, count: phone.notifications.length }).toEqual({ badge: 0, count: 1 })
    await phone.open()
    expect(phone.notifications).toEqual([])
  })

  test('a tap without a network opens the conversation with what is there, and fetches when it is back', async () => {
    const first = server.says('old')
    await phone.open()
    phone.forceQuit()
    await messagePush(server.says('new'))
    phone.network('none')
    await phone.tap()
    expect(phone.timeline.of('open').at(-1)).toMatchObject({ messageIds: [first.id] })

    phone.network('good')
    await phone.open()
    expect(phone.timeline.of('open').at(-1)?.messageIds).toHaveLength(2)
    expect(server.readSeq).toBe(2)
  })

  test('an answer that is lost is asked for again, and what comes twice is there once', async () => {
    phone.network('answers lost')
    const message = server.says('twice')
    await phone.open()
    expect(phone.messages(CONVERSATION)).toEqual([])
    phone.network('good')
    await phone.open()
    await phone.show(CONVERSATION)
    expect(phone.messages(CONVERSATION).map(({ id }) => id)).toEqual([message.id])
    expect(phone.store.duplicates).toBeGreaterThan(0)
  })

  test('when its session has ended, the phone keeps nothing of the person', async () => {
    phone.suspend()
    await messagePush(server.says('secret'))
    expect(phone.store.size).toBe(1)
    server.endSession()
    await phone.open()
    expect(phone.timeline.of('session').at(-1)).toMatchObject({ change: 'ended' })
    expect({ size: phone.store.size, shown: phone.notifications, badge: phone.badge }).toEqual({
      ...{ size: 0, shown: [], badge: 0 },
    })
  })
})
