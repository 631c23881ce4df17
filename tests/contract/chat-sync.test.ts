import { newId } from '../../src/lib/ids.ts'
import type { AppUser } from '../support/app-callers.ts'
import {
  conversationOf,
  cursorOf,
  dataOf,
  givenDirect,
  givenPeople,
  givenPerson,
  readUpTo,
  say,
  sync,
} from '../support/chat.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** `GET /api/v1/app/sync`: nothing is left out, what was brought is acknowledged, and who waits is told at once. */
const DAY = 24 * 3_600_000

describe.each(BACKENDS)('sync on %s', (backend) => {
  let gateway: TestGateway
  let ada: AppUser
  let bob: AppUser
  let id: string
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false, nodes: 2, patient: true })
  })
  beforeEach(async () => {
    ;[ada, bob] = (await givenPeople(gateway, 2)) as [AppUser, AppUser]
    id = await givenDirect(ada, bob)
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const trySync = (who: AppUser, query: string) => who.get(`/api/v1/app/sync${query}`)
  const contentsOf = (events: { message?: { content: string } }[]) =>
    events.map(({ message }) => message?.content)
  const waiting = () => gateway.nodes.reduce((sum, { context }) => sum + context.eventWaits.count(), 0)
  const givenPhone = async (who: AppUser) =>
    dataOf(who.post('/devices/register', { device_token: apnsToken(), platform: 'ios' }))

  describe('without a cursor', () => {
    test('it begins anew: the newest conversations, the badge and a place to go on from', async () => {
      const last = await say(bob, id)
      const answer = await sync(ada)
      expect(answer).toEqual({
        ...{ events: [], more: false, reset: true, badge: 1, next: expect.stringMatching(/^[\w-]+$/) },
        conversations: [await conversationOf(ada, id)],
      })
      expect(answer.conversations[0].last_message).toEqual(last)
      expect(await sync(ada, `?since=${answer.next}`)).toEqual({
        ...{ events: [], more: false, badge: 1, next: answer.next },
      })
    })

    test('also for somebody who takes no part in chat yet', async () => {
      const cleo = await givenPerson(gateway)
      const answer = await sync(cleo)
      expect(answer).toMatchObject({ events: [], reset: true, badge: 0, conversations: [] })
      await say(ada, await givenDirect(ada, cleo), 'hello')
      expect((await sync(cleo, `?since=${answer.next}`)).events).toMatchObject([
        { seq: 1, type: 'conversation.created' },
        { seq: 2, type: 'message.created', message: { content: 'hello' } },
      ])
    })
  })

  describe('from a cursor on', () => {
    test('every event comes once and in its order, page by page, also while others write', async () => {
      let since = await cursorOf(bob)
      for (let n = 1; n <= 10; n += 1) await say(ada, id, `${n}`)
      const seen: (string | undefined)[] = []
      let answer = await sync(bob, `?since=${since}&limit=3`)
      while (answer.events.length > 0) {
        seen.push(...contentsOf(answer.events))
        if (seen.length < 12) await say(ada, id, `new ${seen.length}`)
        since = answer.next
        answer = await sync(bob, `?since=${since}&limit=3`)
      }
      const news = ['new 3', 'new 6', 'new 9']
      expect(seen).toEqual([...[...Array(10).keys()].map((n) => `${n + 1}`), ...news])
      expect(answer).toMatchObject({ next: since, more: false })
    })

    test('more says whether it goes on', async () => {
      const since = await cursorOf(bob)
      await say(ada, id)
      await say(ada, id)
      expect(await sync(bob, `?since=${since}&limit=1`)).toMatchObject({ more: true })
      expect(await sync(bob, `?since=${since}&limit=2`)).toMatchObject({ more: false })
    })

    test('asked again with the same cursor it answers the same', async () => {
      const since = await cursorOf(bob)
      await say(ada, id)
      expect(await sync(bob, `?since=${since}`)).toEqual(await sync(bob, `?since=${since}`))
    })

    test('a message is as it is now', async () => {
      const since = await cursorOf(bob)
      const message = await say(ada, id, 'teh')
      await dataOf(ada.ask('PATCH', `/api/v1/app/messages/${message.id}`, { content: 'the' }))
      expect(contentsOf((await sync(bob, `?since=${since}`)).events)).toEqual(['the', 'the'])
    })

    test('older than what is kept, it begins anew', async () => {
      const since = await cursorOf(bob)
      await say(ada, id, 'old')
      await gateway.context
        .db('user_events')
        .where({ extension_id: bob.extensionId })
        .update({ at: new Date(Date.now() - 31 * DAY) })
      await gateway.context.userEvents.prune(new Date(Date.now() - 30 * DAY), 1_000)
      const answer = await sync(bob, `?since=${since}`)
      expect(answer).toMatchObject({ events: [], reset: true, badge: 1, conversations: [{ id, unread: 1 }] })
      await say(ada, id, 'new')
      expect(contentsOf((await sync(bob, `?since=${answer.next}`)).events)).toEqual(['new'])
    })

    test('beyond what there is, as after a restored backup, it begins anew', async () => {
      await say(ada, id)
      const since = await cursorOf(bob)
      await gateway.context.db('chat_users').where({ extension_id: bob.extensionId }).update({ sync_seq: 1 })
      expect(await sync(bob, `?since=${since}`)).toMatchObject({ events: [], reset: true })
    })

    test('one that is malformed or somebody else’s is refused', async () => {
      const own = await cursorOf(ada)
      const forged = Buffer.from(`1.0.${'0'.repeat(32)}`).toString('base64url')
      for (const since of [
        await cursorOf(bob),
        forged,
        `${own.slice(0, -4)}AAAA`,
        'x',
        '',
        '%00',
        `${own}${own}`,
      ]) {
        const { status, json } = await trySync(ada, `?since=${since}`)
        expect({ since, status, ...json }).toMatchObject({
          ...{ status: 400, data: null, field: 'since' },
          error: 'since must be a cursor of an earlier answer',
        })
      }
    })

    test.each([
      ['?limit=0', 'limit must be a positive integer', 'limit'],
      ['?wait=26', 'wait must be seconds, from 0 to 25', 'wait'],
      ['?wait=-1', 'wait must be seconds, from 0 to 25', 'wait'],
      ['?wait=1.5', 'wait must be seconds, from 0 to 25', 'wait'],
    ])('%s is refused', async (query, error, field) => {
      expect(await trySync(ada, query)).toMatchObject({ status: 400, json: { error, field } })
    })
  })

  describe('as an acknowledgement', () => {
    const deliveredAt = async (message: { id: string }) =>
      (await dataOf(ada.get(`/api/v1/app/messages/${message.id}/receipts`))).items[0].delivered_at

    test('the sender learns that a phone has it when its cursor comes back, not before', async () => {
      await givenPhone(bob)
      const start = await cursorOf(bob)
      const toAda = await cursorOf(ada)
      const message = await say(ada, id)
      const { next } = await sync(bob, `?since=${start}`)
      expect(await deliveredAt(message)).toBeNull()
      await sync(bob, `?since=${next}`)
      expect(await deliveredAt(message)).toMatch(/Z$/)
      expect((await sync(ada, `?since=${toAda}`)).events).toMatchObject([
        { type: 'message.created' },
        { type: 'message.delivered', receipt: { extension: bob.extension, seq: 1, message_id: message.id } },
      ])
    })

    test('a session without a phone tells that it has come, and acknowledges for no phone', async () => {
      const message = await say(ada, id)
      await sync(bob, `?since=${await cursorOf(bob)}`)
      expect(await deliveredAt(message)).toEqual(expect.any(String))
      const acks = await gateway.context.db('device_acks').where({ extension_id: bob.extensionId })
      expect(acks).toEqual([])
    })

    test('what is forgotten or beyond acknowledges nothing', async () => {
      const phone = await givenPhone(bob)
      await say(ada, id)
      const since = await cursorOf(bob)
      await gateway.context
        .db('chat_users')
        .where({ extension_id: bob.extensionId })
        .update({ floor_seq: 99 })
      expect(await sync(bob, `?since=${since}`)).toMatchObject({ reset: true })
      expect(await gateway.context.db('device_acks').where({ device_id: phone.id })).toEqual([])
    })
  })

  describe('waiting', () => {
    test('is answered as soon as there is something, on whatever node it was said', async () => {
      const since = await cursorOf(bob)
      const answers = gateway.nodes.map(({ url: base }) =>
        gateway.request('GET', `/api/v1/app/sync?since=${since}&wait=25`, {
          ...{ base, headers: { authorization: bob.authorization } },
        }),
      )
      await until(() => waiting() === 2, { description: 'both wait' })
      await say(ada, id, 'there')
      for (const { json } of await Promise.all(answers)) {
        expect(contentsOf(json.data.events)).toEqual(['there'])
        expect(json.data.badge).toBe(1)
      }
      expect(waiting()).toBe(0)
    })

    test('what is there already is not waited for', async () => {
      const since = await cursorOf(bob)
      await say(ada, id, 'there')
      expect(contentsOf((await sync(bob, `?since=${since}&wait=25`)).events)).toEqual(['there'])
    })

    test('what happens to others ends nobody’s wait', async () => {
      const [cleo, dan] = (await givenPeople(gateway, 2)) as [AppUser, AppUser]
      const elsewhere = await givenDirect(cleo, dan)
      const since = await cursorOf(bob)
      let isOver = false
      const answer = sync(bob, `?since=${since}&wait=25`).finally(() => {
        isOver = true
      })
      await until(() => waiting() === 1, { description: 'Bob waits' })
      await say(cleo, elsewhere)
      expect((await sync(dan, `?since=${await cursorOf(dan)}`)).badge).toBe(1)
      expect(isOver).toBe(false)
      await say(ada, id, 'now')
      expect(contentsOf((await answer).events)).toEqual(['now'])
    })

    test('an event of which nobody told is found all the same', async () => {
      const since = await cursorOf(bob)
      const answer = sync(bob, `?since=${since}&wait=25`)
      await until(() => waiting() === 1, { description: 'Bob waits' })
      // As when the message of another node got lost.
      await gateway.context.conversations.setOwn(bob, id, { notify: 'mentions' }, new Date())
      expect((await answer).events).toMatchObject([{ type: 'conversation.updated' }])
    })

    test('ends empty when the time is up, with the same cursor', async () => {
      const since = await cursorOf(bob)
      expect(await sync(bob, `?since=${since}&wait=1`)).toMatchObject({
        events: [],
        next: since,
        more: false,
      })
    })

    test('ends when the client goes away', async () => {
      const since = await cursorOf(bob)
      const controller = new AbortController()
      const answer = gateway.request('GET', `/api/v1/app/sync?since=${since}&wait=25`, {
        ...{ headers: { authorization: bob.authorization }, signal: controller.signal },
      })
      await until(() => waiting() === 1, { description: 'Bob waits' })
      controller.abort()
      await expect(answer).rejects.toThrow()
      await until(() => waiting() === 0, { description: 'nobody waits' })
    })

    test('has room for the phones of an extension, and no more', async () => {
      const since = await cursorOf(bob)
      const query = `?since=${since}&wait=25`
      const answers = Array.from({ length: 20 }, () => sync(bob, query))
      await until(() => waiting() === 20, { description: 'twenty wait' })
      const { status, json, headers } = await trySync(bob, query)
      expect({ status, code: json.code, after: headers.get('retry-after') }).toEqual({
        ...{ status: 429, code: 'too_many_waiting', after: '1' },
      })
      await say(ada, id, 'all')
      for (const { events } of await Promise.all(answers)) expect(contentsOf(events)).toEqual(['all'])
    })
  })

  test('a stop answers who waits', async () => {
    await using other = await startTestGateway({ backend, workers: false })
    const [cleo, dan] = (await givenPeople(other, 2)) as [AppUser, AppUser]
    await givenDirect(cleo, dan)
    const since = await cursorOf(dan)
    const answer = sync(dan, `?since=${since}&wait=25`)
    await until(() => other.context.eventWaits.count() === 1, { description: 'Dan waits' })
    other.context.stopping.abort()
    expect(await answer).toMatchObject({ events: [], next: since })
  })

  test('the badge counts messages of all conversations, and not those of others', async () => {
    const cleo = await givenPerson(gateway)
    await say(ada, id)
    await say(cleo, await givenDirect(cleo, bob))
    await say(bob, id)
    expect((await sync(bob)).badge).toBe(2)
    await readUpTo(bob, id, { seq: 2 })
    expect((await sync(bob)).badge).toBe(1)
    expect((await sync(await givenPerson(gateway, { extension: `x-${newId()}` }))).badge).toBe(0)
  })
})
