import { newId } from '../../src/lib/ids.ts'
import type { AppUser } from '../support/app-callers.ts'
import { givenExtension, SIP_PASSWORD } from '../support/app-login.ts'
import { givenPeople, givenPerson } from '../support/chat.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** The surface that the client of a messenger knows: bare, in camelCase, at the root. */
describe.each(BACKENDS)('a messenger’s client on %s', (backend) => {
  let gateway: TestGateway
  let ada: AppUser
  let bob: AppUser
  let id: string
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false, patient: true })
  })
  beforeEach(async () => {
    ;[ada, bob] = (await givenPeople(gateway, 2)) as [AppUser, AppUser]
    id = (await ada.post('/conversations', { username: bob.extension })).json.id
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const trySay = (who: AppUser, body: Record<string, unknown> = {}) =>
    who.post('/messages', { conversationId: id, clientId: newId(), content: 'Are you coming?', ...body })
  const say = async (who: AppUser, content: string) => (await trySay(who, { content })).json
  const messages = async (who: AppUser, query = '') =>
    (await who.get(`/messages?conversationId=${id}${query}`)).json
  const syncFrom = async (who: AppUser, query: string) => (await who.get(`/sync/messages${query}`)).json
  const contentsOf = (all: { content: string }[]) => all.map(({ content }) => content)
  const at = (ms: number) => new Date(ms).toISOString()

  describe('logging in', () => {
    const logIn = (body: unknown) => gateway.request('POST', '/auth/login', { body })

    test('with extension and SIP password gives a token, and nothing around it', async () => {
      const username = `l-${newId()}`.slice(0, 20)
      await givenExtension(gateway, username, { name: 'Lea' })
      const { status, json } = await logIn({ username, password: SIP_PASSWORD })
      expect({ status, json }).toEqual({ status: 200, json: { token: expect.any(String) } })
      const me = await gateway.request('GET', '/me', { headers: { authorization: `Bearer ${json.token}` } })
      expect(me).toMatchObject({ status: 200 })
      expect(me.json).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), username, name: 'Lea' })
    })

    test('has the limits of a login', async () => {
      const username = `m-${newId()}`.slice(0, 20)
      await givenExtension(gateway, username)
      const wrong = () => logIn({ username, password: 'wrong' })
      for (let n = 0; n < 5; n += 1) {
        expect(await wrong()).toMatchObject({ status: 401, json: { code: 'invalid_credentials' } })
      }
      const locked = await logIn({ username, password: SIP_PASSWORD })
      expect(locked).toMatchObject({ status: 429, json: { code: 'login_locked' } })
    })

    test.each<[string, unknown, string]>([
      ['nothing', {}, 'username and password are required'],
      ['no password', { username: '1' }, 'username and password are required'],
      [
        'a long name',
        { username: 'x'.repeat(295), password: 'x' },
        'username or password exceeds maximum length',
      ],
      ['a NUL', { username: 'a\0', password: 'x' }, 'username and password must be plain text'],
      ['more', { username: '1', password: 'x', admin: true }, 'unknown field "admin"'],
    ])('refuses %s', async (_, body, error) => {
      expect(await logIn(body)).toMatchObject({ status: 400, json: { error } })
    })

    test('nobody registers himself', async () => {
      const body = { username: 'eve', password: 'secret' }
      expect(await gateway.request('POST', '/auth/register', { body })).toMatchObject({
        status: 403,
        json: { data: null, code: 'registration_closed' },
      })
    })
  })

  describe('conversations', () => {
    test('are opened once, and listed with names, the last active first', async () => {
      const again = await bob.post('/conversations', { username: ada.extension })
      expect(again).toMatchObject({ status: 200, json: { id } })
      const group = { name: 'Front desk', usernames: [bob.extension] }
      const { status, json } = await ada.post('/conversations', group)
      expect({ status, json }).toEqual({
        status: 201,
        json: { id: expect.any(String), name: 'Front desk', lastMessageAt: null, unreadCount: 0 },
      })
      const { createdAt } = await say(bob, 'hello')
      expect((await ada.get('/conversations')).json).toEqual([
        { id, name: 'Ada', lastMessageAt: createdAt, unreadCount: 1 },
        json,
      ])
      expect((await ada.get('/conversations?limit=1')).json).toHaveLength(1)
    })

    test.each<[unknown, number, string]>([
      [{}, 400, 'give either username, or name and usernames'],
      [{ username: 'nobody' }, 404, 'extension not found'],
      [{ name: 'x', usernames: [] }, 400, 'usernames must not be empty'],
    ])('%j is refused', async (body, status, error) => {
      expect(await ada.post('/conversations', body)).toMatchObject({ status, json: { error } })
    })
  })

  describe('messages', () => {
    test('look as such a client reads them', async () => {
      const clientId = newId()
      const { status, json } = await trySay(ada, { clientId })
      const me = (await ada.get('/me')).json
      expect({ status, json }).toEqual({
        status: 201,
        json: {
          ...{ id: expect.any(String), conversationId: id, senderId: me.id, content: 'Are you coming?' },
          ...{ kind: 'text', createdAt: expect.stringMatching(/\.\d{3}Z$/), deliveredAt: null, readAt: null },
          ...{ editedAt: null, deletedAt: null, clientId, seq: 1 },
        },
      })
      expect(await trySay(ada, { clientId })).toMatchObject({ status: 200, json })
      expect(await trySay(ada, { clientId, content: 'x' })).toMatchObject({
        status: 409,
        json: { code: 'client_id_reused' },
      })
      expect(await messages(bob)).toEqual([json])
    })

    test('page by the time of the oldest, and none is left out', async () => {
      await Promise.all(Array.from({ length: 25 }, (_, n) => say(n % 2 ? ada : bob, `${n}`)))
      const seen: string[] = []
      for (let before = ''; ; ) {
        const page = await messages(ada, `&limit=10${before}`)
        if (page.length === 0) break
        seen.push(...page.map(({ seq }: { seq: number }) => seq))
        before = `&beforeCreatedAt=${page.at(-1).createdAt}`
        await say(bob, 'new')
      }
      expect(seen).toEqual([...Array(25).keys()].map((n) => 25 - n))
    })

    test('one’s own tell when the other one of two has got and read them', async () => {
      await say(ada, 'one')
      await say(bob, 'two')
      await bob.ask('PUT', `/api/v1/app/conversations/${id}/read`, { seq: 1 })
      const times = (all: Record<string, unknown>[]) =>
        all.map(({ content, deliveredAt, readAt }) => [content, deliveredAt !== null, readAt !== null])
      expect(times(await messages(ada))).toEqual([
        ['two', false, false],
        ['one', true, true],
      ])
      expect(times(await messages(bob))).toEqual([
        ['two', false, false],
        ['one', false, false],
      ])
    })

    test('of a conversation that is not one’s own, or not there, nothing is told', async () => {
      const cleo = await givenPerson(gateway)
      const refused = { status: 403, json: { code: 'not_a_participant' } }
      expect(await cleo.get(`/messages?conversationId=${id}`)).toMatchObject(refused)
      expect(await trySay(cleo)).toMatchObject(refused)
      expect(await ada.get(`/messages?conversationId=${newId()}`)).toMatchObject(refused)
      expect(await trySay(ada, { conversationId: newId() })).toMatchObject(refused)
    })

    test.each([
      ['/messages', 'conversationId must be a UUID'],
      ['/messages?conversationId=x', 'conversationId must be a UUID'],
      [`/messages?conversationId=${newId()}&limit=0`, 'limit must be a positive integer'],
      [
        `/messages?conversationId=${newId()}&beforeCreatedAt=now`,
        'beforeCreatedAt must be a time like 2026-11-21T10:00:00Z (RFC 3339)',
      ],
    ])('GET %s is refused', async (path, error) => {
      expect(await ada.get(path)).toMatchObject({ status: 400, json: { error } })
    })

    test('clientId and content have the bounds that they have elsewhere', async () => {
      expect(await trySay(ada, { content: 'x'.repeat(8_000) })).toMatchObject({ status: 201 })
      for (const [body, field] of [
        [{ content: 'x'.repeat(8_001) }, 'content'],
        [{ clientId: 'a b' }, 'clientId'],
        [{ client_id: 'a' }, 'client_id'],
      ] as const) {
        expect(await trySay(ada, body)).toMatchObject({ status: 400, json: { field } })
      }
    })
  })

  describe('sync', () => {
    test('from a cursor on every message comes once', async () => {
      const { nextCursor } = await syncFrom(bob, '')
      for (let n = 1; n <= 5; n += 1) await say(ada, `${n}`)
      const first = await syncFrom(bob, `?since=${nextCursor}&limit=3`)
      expect(first).toMatchObject({ more: true })
      const second = await syncFrom(bob, `?since=${first.nextCursor}`)
      expect(contentsOf([...first.messages, ...second.messages])).toEqual(['1', '2', '3', '4', '5'])
      expect(second).toMatchObject({ more: false })
      expect(second).not.toHaveProperty('reset')
      expect(await syncFrom(bob, `?since=${second.nextCursor}`)).toEqual({
        ...{ messages: [], more: false, nextCursor: second.nextCursor },
      })
    })

    test('without since it is all that is kept', async () => {
      await say(ada, 'one')
      await say(bob, 'two')
      expect(contentsOf((await syncFrom(bob, '')).messages)).toEqual(['one', 'two'])
    })

    test('from a time on none is missing, and some may come twice', async () => {
      const age = (content: string, ms: number) =>
        gateway.context.db.raw(
          `UPDATE user_events e SET at = now() - ? * interval '1 millisecond' FROM messages m
           WHERE m.id = e.message_id AND m.content = ? AND e.extension_id = ?`,
          [ms, content, bob.extensionId],
        )
      await say(ada, 'long ago')
      await age('long ago', 60_000)
      await say(ada, 'just before')
      await age('just before', 33_000)
      await say(ada, 'since then')
      const from = at(Date.now() - 30_000)
      const { messages: since, nextCursor } = await syncFrom(bob, `?since=${from}`)
      expect(contentsOf(since)).toEqual(['just before', 'since then'])
      await say(ada, 'later')
      expect(contentsOf((await syncFrom(bob, `?since=${nextCursor}`)).messages)).toEqual(['later'])
      const inBerlin = encodeURIComponent(`${at(Date.now() - 30_000 + 3_600_000).slice(0, -1)}+01:00`)
      expect(contentsOf((await syncFrom(bob, `?since=${inBerlin}`)).messages)).toEqual([
        ...['just before', 'since then', 'later'],
      ])
    })

    test('a clock that is fast misses nothing that was just said', async () => {
      await say(ada, 'now')
      const { messages: since } = await syncFrom(bob, `?since=${at(Date.now() + 3_600_000)}`)
      expect(contentsOf(since)).toEqual(['now'])
    })

    test('a cursor acknowledges, a time does not', async () => {
      await bob.post('/devices/register', { deviceToken: 'ab'.repeat(32), platform: 'ios' })
      await say(ada, 'one')
      const deliveredAt = async () => (await messages(ada))[0].deliveredAt
      const { nextCursor } = await syncFrom(bob, `?since=${at(Date.now() - 60_000)}`)
      await syncFrom(bob, `?since=${at(Date.now() + 60_000)}`)
      expect(await deliveredAt()).toBeNull()
      await syncFrom(bob, `?since=${nextCursor}`)
      expect(await deliveredAt()).toMatch(/Z$/)
    })

    test('what was edited and deleted comes again as it is now', async () => {
      const [one, two] = [await say(ada, 'one'), await say(ada, 'two')]
      const { nextCursor } = await syncFrom(bob, '')
      await ada.ask('PATCH', `/api/v1/app/messages/${one.id}`, { content: 'changed' })
      await ada.ask('PATCH', `/api/v1/app/messages/${one.id}`, { content: 'changed again' })
      await ada.ask('DELETE', `/api/v1/app/messages/${two.id}`)
      expect((await syncFrom(bob, `?since=${nextCursor}`)).messages).toMatchObject([
        { id: one.id, content: 'changed again', editedAt: expect.any(String), deletedAt: null },
        { id: two.id, content: '', deletedAt: expect.any(String) },
      ])
    })

    test('older than what is kept is told', async () => {
      const { nextCursor } = await syncFrom(bob, '')
      await say(ada, 'forgotten')
      await gateway.context
        .db('user_events')
        .where({ extension_id: bob.extensionId })
        .update({ at: new Date(0) })
      await gateway.context.userEvents.prune(new Date(1), 1_000)
      await say(ada, 'kept')
      const answer = await syncFrom(bob, `?since=${nextCursor}`)
      expect(answer).toMatchObject({ reset: true, more: false })
      expect(contentsOf(answer.messages)).toEqual(['kept'])
      expect(await syncFrom(bob, `?since=${answer.nextCursor}`)).not.toHaveProperty('reset')
    })

    test.each(['x', '2026-13-01T00:00:00Z', '1700000000', ''])('since=%s is refused', async (since) => {
      expect(await ada.get(`/sync/messages?since=${since}`)).toMatchObject({
        status: 400,
        json: { code: 'invalid_request', field: 'since' },
      })
    })
  })

  test('who is not logged in is told so in the envelope of all refusals', async () => {
    for (const path of ['/me', '/conversations', `/messages?conversationId=${id}`, '/sync/messages']) {
      expect(await gateway.request('GET', path)).toMatchObject({
        status: 401,
        json: { data: null, error: 'authentication required', code: 'unauthorized' },
      })
    }
  })
})
