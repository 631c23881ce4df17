import type { Iphone } from '../../src/simulators/chat-device/iphone.ts'
import { SIP_PASSWORD } from '../support/app-login.ts'
import { type ChatWorld, converse, say, startChatWorld } from '../support/chat-phones.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS } from '../support/gateway.ts'

const BOB = '1001'
const ADA = '1002'
const EVE = '1003'
const PEOPLE = { [BOB]: 'Bob', [ADA]: 'Ada', [EVE]: 'Eve' }

const pocket = async (phone: Iphone): Promise<void> => {
  await phone.home()
  phone.suspend()
}
async function openAndConnected(phone: Iphone): Promise<void> {
  await phone.open()
  await until(() => phone.isConnected, { description: 'the phone is connected' })
}
const bodiesOn = (phone: Pick<Iphone, 'notifications'>) => phone.notifications.map(({ body }) => body)

describe.each(BACKENDS)('phones with the messenger on %s', (backend) => {
  const start = () => startChatWorld({ backend }, PEOPLE)
  const register = (world: ChatWorld, phone: Iphone, body: Record<string, unknown>) =>
    world.gateway.request('POST', '/devices/register', {
      headers: { authorization: `Bearer ${phone.sessionToken}` },
      body,
    })

  describe('37.1: a phone registers', () => {
    test('new registration: from then on its token is pushed to, and not before', async () => {
      await using world = await start()
      const ada = await world.iphone(ADA)
      const conversationId = await converse(ada, BOB)
      const before = await say(ada, conversationId, 'You have no phone yet')
      await world.atRest()
      expect(await world.reasons(before.id)).toEqual(['no_token'])

      const bob = await world.iphone(BOB)
      await pocket(bob)
      await say(ada, conversationId, 'Now you have')
      await world.atRest()
      expect(bodiesOn(bob)).toEqual(['Now you have'])
      expect(bob.badge).toBe(2)
      const [device] = await world.ask(bob, 'GET', '/devices')
      expect(device).toMatchObject({ device_id: bob.deviceId, platform: 'apns', current: true })
      expect(device.tokens).toMatchObject([{ type: 'alert', last4: bob.token.slice(-4), live: true }])
    })

    test('token refresh: the new token takes the place of the old one', async () => {
      await using world = await start()
      const [ada, bob] = [await world.iphone(ADA), await world.iphone(BOB)]
      const conversationId = await converse(ada, BOB)
      const old = bob.token
      await bob.changeToken(apnsToken())
      await pocket(bob)
      await say(ada, conversationId, 'To the new one')
      await world.atRest()
      expect(world.messagesTo(old)).toEqual([])
      expect(world.messagesTo(bob.token)).toHaveLength(1)
      expect(bodiesOn(bob)).toEqual(['To the new one'])
      expect(await world.ask(bob, 'GET', '/devices')).toHaveLength(1)
    })

    test('idempotent repeat: registered three times it is one phone, and gets one push', async () => {
      await using world = await start()
      const [ada, bob] = [await world.iphone(ADA), await world.iphone(BOB)]
      const body = { device_id: bob.deviceId, platform: 'apns', tokens: { alert: bob.token } }
      const answers = [await register(world, bob, body), await register(world, bob, body)]
      for (const { status, json } of answers) {
        expect({ status, id: json.data.id }).toEqual({ status: 200, id: bob.phoneId })
        expect(json.data.tokens).toHaveLength(1)
      }
      expect(answers[0]?.text).not.toContain(bob.token)
      await pocket(bob)
      await say(ada, await converse(ada, BOB), 'Once')
      await world.atRest()
      expect(world.messagesTo(bob.token)).toHaveLength(1)
    })

    test('in the words of a client of chat alone: one token replaces the other, and a session is asked for', async () => {
      await using world = await start()
      const [ada, bob] = [await world.iphone(ADA), await world.iphone(BOB)]
      const token = apnsToken()
      expect(await register(world, bob, { device_token: token, platform: 'ios' })).toMatchObject({
        status: 200,
      })
      await pocket(bob)
      await say(ada, await converse(ada, BOB), 'By the short way')
      await world.atRest()
      expect(world.messagesTo(token)).toHaveLength(1)
      expect(world.messagesTo(bob.token)).toEqual([])
      const stranger = await world.gateway.request('POST', '/devices/register', {
        body: { device_token: apnsToken(), platform: 'ios' },
      })
      expect(stranger.status).toBe(401)
    })

    test('logged out, the phone is pushed nothing any more and shows nothing of before', async () => {
      await using world = await start()
      const [ada, bob] = [await world.iphone(ADA), await world.iphone(BOB)]
      const conversationId = await converse(ada, BOB)
      await pocket(bob)
      await say(ada, conversationId, 'Still there')
      await world.atRest()
      await bob.open()
      await bob.logOut()
      expect({ shown: bob.notifications, badge: bob.badge, kept: bob.store.size }).toEqual({
        ...{ shown: [], badge: 0, kept: 0 },
      })
      const message = await say(ada, conversationId, 'Gone')
      await world.atRest()
      expect(world.messagesTo(bob.token)).toHaveLength(1)
      expect(await world.reasons(message.id)).toEqual(['no_token'])
    })

    test.each([
      ['by its own word', (world: ChatWorld, bob: Iphone) => world.ask(bob, 'POST', '/auth/logout', {})],
      [
        'by a new password',
        (world: ChatWorld) =>
          world.gateway.pbx('PUT', `/extensions/${BOB}`, { body: { password: 'another: of 1001' } }),
      ],
    ])('whose session has ended %s is a silent phone', async (_how, end) => {
      await using world = await start()
      const [ada, bob] = [await world.iphone(ADA), await world.iphone(BOB)]
      const conversationId = await converse(ada, BOB)
      await pocket(bob)
      await end(world, bob)
      const message = await say(ada, conversationId, 'Whose phone is it?')
      await world.atRest()
      expect(world.requestsTo(bob.token)).toEqual([])
      expect(await world.reasons(message.id)).toEqual(['no_token'])
    })

    test("who logs in on somebody else's phone gets none of the former owner's messages", async () => {
      await using world = await start()
      const [ada, phone] = [await world.iphone(ADA), await world.iphone(BOB)]
      const withBob = await converse(ada, BOB)
      await pocket(phone)
      await say(ada, withBob, 'For Bob, before')
      await world.atRest()
      expect(phone.store.size).toBe(1)

      await phone.logIn(EVE, SIP_PASSWORD)
      expect({ shown: phone.notifications, badge: phone.badge, kept: phone.store.size }).toEqual({
        ...{ shown: [], badge: 0, kept: 0 },
      })
      await pocket(phone)
      const pushes = world.messagesTo(phone.token).length
      const forBob = await say(ada, withBob, 'For Bob, after')
      await world.atRest()
      expect(await world.reasons(forBob.id)).toEqual(['no_token'])
      expect(world.messagesTo(phone.token)).toHaveLength(pushes)

      await say(ada, await converse(ada, EVE), 'For Eve')
      await world.atRest()
      expect(bodiesOn(phone)).toEqual(['For Eve'])
      await phone.tap()
      expect(phone.messages(withBob)).toEqual([])
      expect(phone.store.size).toBe(1)
      expect(phone.badge).toBe(0)
    })
  })

  describe('37.5: multiple devices', () => {
    test('one that its own push has woken does not silence another, whose push has to be tried again', async () => {
      await using world = await start()
      const ada = await world.iphone(ADA)
      const [first, second] = [await world.iphone(BOB), await world.iphone(BOB)]
      const conversationId = await converse(ada, BOB)
      await pocket(first)
      await pocket(second)
      world.gateway.simulators.apns.answers(second.token, { status: 503, reason: 'ServiceUnavailable' })
      await say(ada, conversationId, 'To both of them')
      await world.atRest()
      expect([bodiesOn(first), bodiesOn(second)]).toEqual([['To both of them'], ['To both of them']])
      expect(world.messagesTo(second.token)).toHaveLength(2)
    })

    test('none is open: all of them are pushed', async () => {
      await using world = await start()
      const [ada, phone, tablet] = [await world.iphone(ADA), await world.iphone(BOB), await world.iphone(BOB)]
      phone.forceQuit()
      tablet.forceQuit()
      const message = await say(ada, await converse(ada, BOB), 'To both of you')
      await world.atRest()
      expect([world.messagesTo(phone.token).length, world.messagesTo(tablet.token).length]).toEqual([1, 1])
      expect([bodiesOn(phone), bodiesOn(tablet)]).toEqual([['To both of you'], ['To both of you']])
      expect([phone.badge, tablet.badge]).toEqual([1, 1])
      expect(await world.reasons(message.id)).toEqual([])
    })

    test('of Apple and of Google, and woken by their pushes: each is told, or there is a reason', async () => {
      await using world = await start()
      const [ada, iphone, android] = [
        await world.iphone(ADA),
        await world.iphone(BOB),
        await world.android(BOB),
      ]
      await pocket(iphone)
      await android.home()
      const conversationId = await converse(ada, BOB)
      const message = await say(ada, conversationId, 'To whom it may concern')
      await world.atRest()
      const told = [iphone, android].filter(({ notifications }) => notifications.length > 0)
      expect(told.length + (await world.reasons(message.id)).length).toBe(2)
      for (const phone of told) expect(phone.messages(conversationId)).toHaveLength(1)
      expect([iphone.badge, android.badge]).toEqual([1, 1])
    })

    test('one is open: the others are not pushed, and the reason is kept', async () => {
      await using world = await start()
      const [ada, open, other] = [await world.iphone(ADA), await world.iphone(BOB), await world.iphone(BOB)]
      await pocket(other)
      await openAndConnected(open)
      const message = await say(ada, await converse(ada, BOB), 'Only one of you')
      await until(() => open.store.has(message.id), { description: 'the open one has it' })
      await world.atRest()
      expect(world.messagesTo(other.token)).toEqual([])
      expect(world.messagesTo(open.token)).toEqual([])
      expect(await world.reasons(message.id)).toEqual(['acked_by_user'])
      // The number on the icon follows all the same, in silence.
      expect({ shown: other.notifications, badge: other.badge }).toEqual({ shown: [], badge: 1 })
    })

    test('read on one: the notification and the number go on the other', async () => {
      await using world = await start()
      const [ada, one, other] = [await world.iphone(ADA), await world.iphone(BOB), await world.iphone(BOB)]
      await world.ask(one, 'PUT', '/push-settings', { push_when: 'this_device_not_acked' })
      const conversationId = await converse(ada, BOB)
      await Promise.all([pocket(one), pocket(other)])
      await say(ada, conversationId, 'Read me once')
      await world.atRest()
      expect([one.badge, other.badge]).toEqual([1, 1])
      expect([bodiesOn(one), bodiesOn(other)]).toEqual([['Read me once'], ['Read me once']])

      await one.tap()
      await world.atRest()

      expect({ shown: other.notifications, badge: other.badge }).toEqual({ shown: [], badge: 0 })
      const [push] = world.requestsTo(other.token).slice(-1)
      expect(push?.headers).toMatchObject({ 'apns-push-type': 'alert', 'apns-priority': '5' })
      expect(push?.payload).toMatchObject({
        ...{ type: 'badge', cleared_conversations: conversationId },
        aps: { badge: 0, 'content-available': 1 },
      })
      // Who has read it knows it by himself.
      expect(world.requestsTo(one.token)).toHaveLength(1)
    })

    test('what comes while a reading is told to the other phone is not taken back there', async () => {
      await using world = await start()
      const [ada, one, other] = [await world.iphone(ADA), await world.iphone(BOB), await world.iphone(BOB)]
      await world.ask(one, 'PUT', '/push-settings', { push_when: 'this_device_not_acked' })
      const conversationId = await converse(ada, BOB)
      await Promise.all([pocket(one), pocket(other)])
      await say(ada, conversationId, 'first')
      await world.atRest()
      await world.ask(one, 'PUT', `/conversations/${conversationId}/read`, { seq: 1 })
      await say(ada, conversationId, 'second')
      await world.atRest()
      expect(bodiesOn(other)).toEqual(['second'])
      expect(other.badge).toBe(1)
    })

    test("a number that waited for its turn is not sent to a phone that is somebody else's by then", async () => {
      await using world = await start()
      const [ada, one, other] = [await world.iphone(ADA), await world.iphone(BOB), await world.iphone(BOB)]
      const withBob = await converse(ada, BOB)
      one.forceQuit()
      other.forceQuit()
      await say(ada, withBob, 'first')
      await world.atRest()
      world.gateway.simulators.apns.behaves(other.token, { status: 503, reason: 'ServiceUnavailable' })
      const refused = world.requestsTo(other.token).length
      await world.ask(one, 'PUT', `/conversations/${withBob}/read`, { seq: 1 })
      await until(() => world.requestsTo(other.token).length > refused, {
        description: 'Apple has refused it',
      })
      await other.logIn(EVE, SIP_PASSWORD)
      world.gateway.simulators.apns.forgets(other.token)
      await world.atRest()
      const accepted = world
        .requestsTo(other.token)
        .slice(refused)
        .filter(({ verdict }) => verdict.status === 200)
      expect(accepted).toEqual([])
      expect(other.badge).toBe(0)
    })

    test('an Android phone shows, opens, and takes back', async () => {
      await using world = await start()
      const [ada, android] = [await world.iphone(ADA), await world.android(BOB)]
      const conversationId = await converse(ada, BOB)
      android.reboot()
      await say(ada, conversationId, 'Hello, robot')
      await world.atRest()
      // Nobody can read its data yet, so that the app is not handed the message.
      expect(android.notifications).toEqual([])
      await android.unlock()
      expect(android.notifications).toMatchObject([{ title: 'Ada', body: 'Hello, robot' }])
      await android.tap()
      expect(android.timeline.of('open')).toMatchObject([{ conversationId, fresh: [expect.any(String)] }])
      expect(android.badge).toBe(0)
    })
  })
})
