import { newId } from '../../src/lib/ids.ts'
import type { AppUser } from '../support/app-callers.ts'
import {
  conversationOf,
  cursorOf,
  dataOf,
  givenDirect,
  givenGroup,
  givenPeople,
  givenPerson,
  messagesOf,
  readUpTo,
  say,
  sync,
  trySay,
} from '../support/chat.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** Messages: said once, numbered without a gap, changed by their senders only, and who has got and read them. */
const path = '/api/v1/app/messages'

describe.each(BACKENDS)('messages on %s', (backend) => {
  let gateway: TestGateway
  let ada: AppUser
  let bob: AppUser
  let cleo: AppUser
  let id: string
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false, patient: true })
  })
  beforeEach(async () => {
    ;[ada, bob, cleo] = (await givenPeople(gateway, 3)) as [AppUser, AppUser, AppUser]
    id = await givenDirect(ada, bob)
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const contentsOf = async (who: AppUser, query = '') =>
    (await messagesOf(who, id, query)).items.map(({ content }: { content: string }) => content)

  describe('saying', () => {
    test('is answered with the message as all see it', async () => {
      const first = await say(bob, id)
      const client_id = newId()
      const { status, json } = await trySay(ada, id, {
        ...{ client_id, content: 'Yes', reply_to: first.id, mentions: [bob.extension, cleo.extension] },
      })
      expect(status).toBe(201)
      expect(json.data).toEqual({
        ...{ id: expect.any(String), conversation_id: id, seq: 2, client_id, kind: 'text', content: 'Yes' },
        sender: {
          ...{ id: ada.extensionId, user_id: expect.any(String), extension: ada.extension, name: 'Ada' },
        },
        ...{ reply_to: first.id, mentions: [bob.extensionId], edited_at: null, deleted_at: null },
        created_at: expect.stringMatching(/\.\d{3}Z$/),
      })
      expect((await messagesOf(bob, id)).items).toEqual([json.data, first])
    })

    test('the same many times at once is one message', async () => {
      const body = { client_id: newId(), content: 'once' }
      const answers = await Promise.all(Array.from({ length: 50 }, () => trySay(ada, id, body)))
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(49)
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
      expect(await contentsOf(bob)).toEqual(['once'])
    })

    test('something else under the same id is refused, unless it was changed meanwhile', async () => {
      const client_id = newId()
      const { json } = await trySay(ada, id, { client_id, content: 'one' })
      const other = { client_id, content: 'other' }
      expect(await trySay(ada, id, other)).toMatchObject({ status: 409, json: { code: 'client_id_reused' } })
      expect(await trySay(bob, id, other)).toMatchObject({ status: 201 })
      await dataOf(ada.ask('PATCH', `${path}/${json.data.id}`, { content: 'two' }))
      const again = await trySay(ada, id, { client_id, content: 'one' })
      expect(again).toMatchObject({ status: 200, json: { data: { id: json.data.id, content: 'two' } } })
    })

    test.each<[string, string]>([
      ['8,000 characters', 'x'.repeat(8_000)],
      ['8,000 characters beyond the first plane', '😀'.repeat(8_000)],
      ['one', ' '],
      ['what looks like SQL', "'; DROP TABLE messages; --"],
      ['all kinds of spaces', '\t\n\u2028\u200d'],
    ])('%s may be said', async (_, content) => {
      expect(await trySay(ada, id, { content })).toMatchObject({ status: 201, json: { data: { content } } })
    })

    test('the same in another spelling of JSON', async () => {
      const escaped = '\\ud83d\\ude00'.repeat(8_000)
      const { status, json } = await gateway.request('POST', `/api/v1/app/conversations/${id}/messages`, {
        headers: { authorization: ada.authorization },
        body: `{"client_id":"${newId()}","content":"${escaped}"}`,
      })
      expect({ status, content: json.data?.content }).toEqual({ status: 201, content: '😀'.repeat(8_000) })
    })

    test.each<[string, Record<string, unknown>, string, string]>([
      ['nothing', { content: '' }, 'content must not be empty', 'content'],
      [
        '8,001 characters',
        { content: 'x'.repeat(8_001) },
        'content must be at most 8000 characters',
        'content',
      ],
      ['a NUL', { content: 'a\0b' }, 'content must be plain text', 'content'],
      ['half a character', { content: 'a\ud800b' }, 'content must be plain text', 'content'],
      ['no text', { content: undefined }, 'content is required', 'content'],
      ['a number', { content: 5 }, 'content must be text', 'content'],
      ['no client_id', { client_id: undefined }, 'client_id is required', 'client_id'],
      ...['', ' ', 'a b', 'ä', 'x'.repeat(65), 'a\n'].map(
        (client_id): [string, Record<string, unknown>, string, string] => [
          `the client_id ${JSON.stringify(client_id)}`,
          { client_id },
          'client_id must be 1 to 64 visible ASCII characters',
          'client_id',
        ],
      ),
      [
        'a kind of many words',
        { kind: 'a b' },
        'kind must be a word of at most 32 letters, digits, dots or dashes',
        'kind',
      ],
      ['a reply to nothing', { reply_to: 'x' }, 'reply_to must be a UUID', 'reply_to'],
      [
        'a reply to elsewhere',
        { reply_to: newId() },
        'reply_to must be a message of this conversation',
        'reply_to',
      ],
      ['a sender', { sender: 1 }, 'unknown field "sender"', 'sender'],
    ])('refuses %s', async (_, change, error, field) => {
      const { status, json } = await trySay(ada, id, change)
      expect({ status, ...json }).toMatchObject({ status: 400, data: null, error, field })
      expect(await contentsOf(ada)).toEqual([])
    })

    test('the longest client_id, and a kind of the apps', async () => {
      const client_id = '~'.repeat(64)
      const { json } = await trySay(ada, id, { client_id, kind: 'x.location-2' })
      expect(json.data).toMatchObject({ client_id, kind: 'x.location-2' })
    })

    test('nobody says more than 120 things a minute, and the same again is none of them', async () => {
      const body = { client_id: newId(), content: 'again' }
      for (let n = 0; n < 130; n += 1) expect((await trySay(ada, id, body)).status).toBeLessThan(300)
      const answers = await Promise.all(Array.from({ length: 121 }, () => trySay(ada, id)))
      const refused = answers.filter(({ status }) => status === 429)
      expect(refused.length).toBeGreaterThanOrEqual(2)
      expect(refused[0]?.json).toMatchObject({ code: 'rate_limited' })
      expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await trySay(bob, id)).toMatchObject({ status: 201 })
    })
  })

  describe('a page', () => {
    test('goes back and forward by seq, while others write', async () => {
      for (let n = 1; n <= 10; n += 1) await say(n % 2 ? ada : bob, id, `${n}`)
      const back: string[] = []
      let before = ''
      for (let more = true; more; ) {
        const { items, has_more } = await messagesOf(bob, id, `?limit=3${before}`)
        back.push(...items.map(({ content }: { content: string }) => content))
        before = `&before=${items.at(-1).seq}`
        more = has_more
        await say(ada, id, 'new')
      }
      expect(back).toEqual(['10', '9', '8', '7', '6', '5', '4', '3', '2', '1'])
      const on = await messagesOf(bob, id, '?limit=3&after=4')
      expect(on.items.map(({ seq }: { seq: number }) => seq)).toEqual([7, 6, 5])
      expect(on.has_more).toBe(true)
      expect(await contentsOf(bob, '?after=4&before=6')).toEqual(['5'])
      expect(await messagesOf(bob, id, '?after=14')).toEqual({ items: [], has_more: false })
    })

    test('numbers have no gap, however many write at once', async () => {
      await Promise.all(Array.from({ length: 40 }, (_, n) => say(n % 2 ? ada : bob, id, `${n}`)))
      const { items } = await messagesOf(bob, id, '?limit=200')
      const all = [...Array(40).keys()].map((n) => 40 - n)
      expect(items.map(({ seq }: { seq: number }) => seq)).toEqual(all)
    })

    test.each([
      ['?limit=0', 'limit must be a positive integer', 'limit'],
      ['?limit=-1', 'limit must be a positive integer', 'limit'],
      ['?before=x', 'before must be the seq of a message', 'before'],
      ['?after=-1', 'after must be the seq of a message', 'after'],
      ['?after=1&after=2', 'after must be the seq of a message', 'after'],
    ])('%s is refused', async (query, error, field) => {
      const { status, json } = await ada.get(`/api/v1/app/conversations/${id}/messages${query}`)
      expect({ status, ...json }).toMatchObject({ status: 400, error, field })
    })
  })

  describe('changing', () => {
    test('the sender edits, and everybody is told', async () => {
      const message = await say(ada, id, 'teh')
      const since = await cursorOf(bob)
      const { status, json } = await ada.ask('PATCH', `${path}/${message.id}`, { content: 'the' })
      expect({ status, ...json }).toEqual({
        status: 200,
        data: { ...message, content: 'the', edited_at: expect.stringMatching(/Z$/) },
      })
      expect((await sync(bob, `?since=${since}`)).events).toMatchObject([
        { type: 'message.edited', message: json.data },
      ])
    })

    test('what was deleted is an empty place, is unread no more, and cannot be edited', async () => {
      const message = await say(ada, id, 'oops')
      await say(ada, id, 'after')
      const since = await cursorOf(bob)
      const gone = await dataOf(ada.ask('DELETE', `${path}/${message.id}`))
      expect(gone).toEqual({ ...message, content: '', deleted_at: expect.stringMatching(/Z$/) })
      expect(await dataOf(ada.ask('DELETE', `${path}/${message.id}`))).toEqual(gone)
      expect(await contentsOf(bob)).toEqual(['after', ''])
      expect(await conversationOf(bob, id)).toMatchObject({ unread: 1 })
      const { events, badge } = await sync(bob, `?since=${since}`)
      expect(events).toMatchObject([{ type: 'message.deleted', message: gone }])
      expect(badge).toBe(1)
      const edit = await ada.ask('PATCH', `${path}/${message.id}`, { content: 'x' })
      expect(edit).toMatchObject({ status: 409, json: { code: 'message_deleted' } })
    })

    test('nobody changes what somebody else has said, and strangers do not see it', async () => {
      const message = await say(ada, id)
      for (const [method, body] of [
        ['PATCH', { content: 'x' }],
        ['DELETE', undefined],
      ] as const) {
        const by = (who: AppUser) => who.ask(method, `${path}/${message.id}`, body)
        expect(await by(bob)).toMatchObject({ status: 403, json: { code: 'not_your_message' } })
        expect(await by(cleo)).toMatchObject({ status: 404, json: { code: 'unknown_message' } })
      }
      expect(await contentsOf(bob)).toEqual(['Are you coming?'])
    })

    test.each([
      ['PATCH', { content: '' }, 'content must not be empty'],
      ['PATCH', { content: 'x', kind: 'y' }, 'unknown field "kind"'],
    ])('%s %j is refused', async (method, body, error) => {
      const message = await say(ada, id)
      expect(await ada.ask(method, `${path}/${message.id}`, body)).toMatchObject({
        status: 400,
        json: { error },
      })
    })

    test('an id that is no UUID is told as that', async () => {
      const wrong = { status: 400, json: { error: 'id must be a UUID', field: 'id' } }
      expect(await ada.ask('DELETE', `${path}/5`)).toMatchObject(wrong)
      expect(await ada.get('/api/v1/app/conversations/5')).toMatchObject(wrong)
    })
  })

  describe('reading', () => {
    test('goes forward only, and its sender is told', async () => {
      const [one, two, three] = [await say(ada, id), await say(ada, id), await say(ada, id)]
      const since = await cursorOf(ada)
      expect(await readUpTo(bob, id, { message_id: two.id })).toMatchObject({
        status: 200,
        json: { data: { seq: 2 } },
      })
      expect((await readUpTo(bob, id, { seq: 1 })).json.data).toEqual({ seq: 2 })
      expect(await conversationOf(bob, id)).toMatchObject({ unread: 1, last_read_seq: 2 })
      const { events } = await sync(ada, `?since=${since}`)
      expect(events).toEqual([
        {
          ...{ seq: expect.any(Number), type: 'message.read', conversation_id: id, at: expect.any(String) },
          receipt: {
            ...{ id: bob.extensionId, user_id: expect.any(String), extension: bob.extension },
            ...{ seq: 2, message_id: two.id, at: expect.any(String) },
          },
        },
      ])
      expect((await readUpTo(bob, id, { seq: 999 })).json.data).toEqual({ seq: 3 })
      expect(await conversationOf(bob, id)).toMatchObject({ unread: 0 })
      for (const message of [one, two, three]) {
        const { items } = await dataOf(ada.get(`${path}/${message.id}/receipts`))
        expect(items).toEqual([
          {
            ...{ id: bob.extensionId, user_id: expect.any(String), extension: bob.extension, name: 'Ada' },
            ...{ delivered_at: expect.stringMatching(/Z$/), read_at: expect.stringMatching(/Z$/) },
          },
        ])
      }
    })

    test('the other phones of the reader are told, too', async () => {
      await say(ada, id)
      const since = await cursorOf(bob)
      await readUpTo(bob, id, { seq: 1 })
      expect((await sync(bob, `?since=${since}`)).events).toMatchObject([
        { type: 'message.read', receipt: { extension: bob.extension, seq: 1 } },
      ])
    })

    test('receipts of a group name everybody who was to get it', async () => {
      const group = await givenGroup([ada, bob, cleo])
      const message = await say(ada, group)
      await readUpTo(bob, group, { seq: 1 })
      const { items } = await dataOf(cleo.get(`${path}/${message.id}/receipts`))
      const times = (items as { extension: string; read_at: string | null }[]).map((each) => [
        each.extension,
        each.read_at !== null,
      ])
      expect(new Map(times as [string, boolean][])).toEqual(
        new Map([
          [bob.extension, true],
          [cleo.extension, false],
        ]),
      )
    })

    test.each([
      [{}, 'give either seq or message_id'],
      [{ seq: 1, message_id: newId() }, 'give either seq or message_id'],
      [{ seq: -1 }, 'seq must be the seq of a message'],
      [{ seq: 1.5 }, 'seq must be the seq of a message'],
      [{ message_id: 'x' }, 'message_id must be a UUID'],
    ])('refuses %j', async (body, error) => {
      expect(await readUpTo(ada, id, body as { seq: number })).toMatchObject({ status: 400, json: { error } })
    })

    test('a message of another conversation is none of this', async () => {
      const elsewhere = await say(ada, await givenDirect(ada, await givenPerson(gateway)))
      expect(await readUpTo(ada, id, { message_id: elsewhere.id })).toMatchObject({
        status: 404,
        json: { code: 'unknown_message', field: 'message_id' },
      })
      expect(await readUpTo(cleo, id, { seq: 1 })).toMatchObject({ status: 404 })
    })
  })
})
