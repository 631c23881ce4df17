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
  say,
  sync,
  trySay,
} from '../support/chat.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** Conversations: who is in them, who may change what, and that nobody else learns of them. */
const path = '/api/v1/app/conversations'

describe.each(BACKENDS)('conversations on %s', (backend) => {
  let gateway: TestGateway
  let ada: AppUser
  let bob: AppUser
  let cleo: AppUser
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false })
  })
  beforeEach(async () => {
    ;[ada, bob, cleo] = (await givenPeople(gateway, 3)) as [AppUser, AppUser, AppUser]
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const open = (who: AppUser, body: unknown) => who.post(path, body)
  const group = (title: string, ...people: AppUser[]) => ({
    title,
    extensions: people.map(({ extension }) => extension),
  })
  const person = (who: AppUser) => ({ id: who.extensionId, extension: who.extension, name: 'Ada' })

  describe('opening', () => {
    test('two people have one conversation, whoever opens it, and however often at once', async () => {
      const answers = await Promise.all(
        [...Array(10).keys()].map((n) =>
          n % 2 === 0 ? open(ada, { extension: bob.extension }) : open(bob, { extension: ada.extension }),
        ),
      )
      expect(new Set(answers.map(({ json }) => json.data.id)).size).toBe(1)
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(9)
      expect(answers[0]?.json.data).toMatchObject({
        ...{ kind: 'direct', title: '', last_seq: 0, last_message: null, last_message_at: null, unread: 0 },
        ...{ role: 'member', notify: 'all', muted_until: null, last_read_seq: 0 },
        created_at: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      })
      expect(answers[0]?.json.data.participants).toHaveLength(2)
    })

    test('a group has its maker as the owner, and everybody once', async () => {
      const { status, json } = await open(ada, group('Front desk', bob, cleo, bob, ada))
      expect(status).toBe(201)
      expect(json.data).toMatchObject({ kind: 'group', title: 'Front desk', role: 'owner' })
      const roles = json.data.participants.map((each: { extension: string; role: string }) => [
        each.extension,
        each.role,
      ])
      expect(new Map(roles)).toEqual(
        new Map([
          [ada.extension, 'owner'],
          [bob.extension, 'member'],
          [cleo.extension, 'member'],
        ]),
      )
      expect(json.data.participants).toContainEqual({
        ...{ ...person(bob), user_id: expect.stringMatching(/^[0-9a-f-]{36}$/), role: 'member' },
        ...{ last_read_seq: 0, last_delivered_seq: 0 },
      })
      expect(await conversationOf(bob, json.data.id)).toMatchObject({ id: json.data.id, role: 'member' })
    })

    test.each<[string, Record<string, unknown>, string, string | undefined]>([
      ['nothing', {}, 'give either extension, or title and extensions', undefined],
      [
        'both',
        { extension: '1', title: 'x', extensions: ['1'] },
        'give either extension, or title and extensions',
        undefined,
      ],
      ['a title alone', { title: 'x' }, 'give either extension, or title and extensions', undefined],
      ['a field of ours', { extension: '1', tenant_id: newId() }, 'unknown field "tenant_id"', 'tenant_id'],
      ['no number', { extension: '' }, 'extension must not be empty', 'extension'],
      ['a NUL', { extension: 'a\0' }, 'extension must be plain text', 'extension'],
      ['half a character', { title: '\ud800', extensions: ['1'] }, 'title must be plain text', 'title'],
      [
        'a long title',
        { title: 'x'.repeat(201), extensions: ['1'] },
        'title must be at most 200 characters',
        'title',
      ],
      ['nobody', { title: 'x', extensions: [] }, 'extensions must not be empty', 'extensions'],
      ['numbers', { title: 'x', extensions: [1] }, 'extensions must be text', 'extensions.0'],
    ])('refuses %s', async (_, body, error, field) => {
      const { status, json } = await open(ada, body)
      expect({ status, ...json }).toMatchObject({ status: 400, data: null, error, ...(field && { field }) })
    })

    test('an extension that the tenant does not have is named by its place', async () => {
      expect(await open(ada, { extension: 'nobody' })).toMatchObject({
        status: 404,
        json: { code: 'unknown_extension', field: 'extension' },
      })
      expect(await open(ada, { title: 'x', extensions: [bob.extension, 'nobody'] })).toMatchObject({
        status: 404,
        json: { code: 'unknown_extension', field: 'extensions.1' },
      })
    })

    test('a title may have 200 characters of any kind', async () => {
      const title = '👩‍🚀'.repeat(66)
      expect([...title].length).toBeLessThanOrEqual(200)
      expect((await dataOf(open(ada, { title, extensions: [bob.extension] }))).title).toBe(title)
    })
  })

  describe('the list', () => {
    test('has the last active first, page by page, also while others write', async () => {
      const others = await givenPeople(gateway, 7)
      const ids: string[] = []
      for (const other of others) {
        const id = await givenDirect(ada, other)
        await say(ada, id)
        ids.unshift(id)
      }
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const query = `?limit=3${cursor ? `&cursor=${cursor}` : ''}`
        const page = await dataOf(ada.get(path + query))
        seen.push(...page.items.map(({ id }: { id: string }) => id))
        cursor = page.next_cursor
        // What is new is before the first page.
        await say(ada, await givenDirect(ada, await givenPerson(gateway)))
      } while (cursor)
      expect(seen).toEqual(ids)
    })

    test('shows the last message, what is unread, and who has got how far', async () => {
      const id = await givenDirect(ada, bob)
      await say(bob, id, 'one')
      const last = await say(bob, id, 'two')
      const [own] = (await dataOf(ada.get(path))).items
      expect(own).toMatchObject({
        id,
        unread: 2,
        last_seq: 2,
        last_message_at: last.created_at,
        last_read_seq: 0,
      })
      expect(own.last_message).toEqual(last)
      const [his] = (await dataOf(bob.get(path))).items
      expect(his).toMatchObject({ id, unread: 0 })
    })

    test.each([
      ['?limit=0', 'limit must be a positive integer', 'limit'],
      ['?limit=x', 'limit must be a positive integer', 'limit'],
      ['?cursor=nonsense', 'cursor must be the next_cursor of an earlier answer', 'cursor'],
      [
        `?cursor=${Buffer.from('[1,"x"]').toString('base64url')}`,
        'cursor must be the next_cursor of an earlier answer',
        'cursor',
      ],
    ])('%s is refused', async (query, error, field) => {
      expect(await ada.get(path + query)).toMatchObject({ status: 400, json: { error, field } })
    })
  })

  describe('a group changes', () => {
    test('its title, by its owner only, also before anything was said', async () => {
      const id = await givenGroup([ada, bob])
      const since = await cursorOf(bob)
      expect(await ada.ask('PATCH', `${path}/${id}`, { title: 'Back office' })).toMatchObject({
        status: 200,
        json: { data: { title: 'Back office' } },
      })
      expect(await bob.ask('PATCH', `${path}/${id}`, { title: 'Mine' })).toMatchObject({
        status: 403,
        json: { code: 'not_the_owner' },
      })
      expect((await sync(bob, `?since=${since}`)).events).toMatchObject([
        { type: 'conversation.updated', conversation_id: id },
      ])
      expect((await conversationOf(bob, id)).title).toBe('Back office')
    })

    test('who joins sees what is said from then on, and the others learn of it', async () => {
      const id = await givenGroup([ada, bob])
      await say(ada, id, 'before')
      const [toBob, toCleo] = [await cursorOf(bob), await cursorOf(cleo)]
      const added = await ada.post(`${path}/${id}/participants`, {
        extensions: [cleo.extension, bob.extension],
      })
      expect(added.status).toBe(200)
      expect(added.json.data.participants).toHaveLength(3)
      await say(ada, id, 'after')
      expect((await messagesOf(cleo, id)).items.map((m: { content: string }) => m.content)).toEqual(['after'])
      expect(await conversationOf(cleo, id)).toMatchObject({ unread: 1, last_seq: 2 })
      const told = (await sync(bob, `?since=${toBob}`)).events
      expect(told[0]).toMatchObject({ type: 'participant.joined', member: person(cleo) })
      expect((await sync(cleo, `?since=${toCleo}`)).events).toMatchObject([
        { type: 'conversation.created', conversation_id: id },
        { type: 'message.created', message: { content: 'after' } },
      ])
    })

    test('who is taken out reads no more of it, is told so, and may come back', async () => {
      const id = await givenGroup([ada, bob, cleo])
      const message = await say(bob, id)
      const since = await cursorOf(cleo)
      const out = `${path}/${id}/participants/${cleo.extension}`
      expect(await bob.ask('DELETE', out)).toMatchObject({ status: 403, json: { code: 'not_the_owner' } })
      expect(await ada.ask('DELETE', out)).toMatchObject({ status: 200, json: { data: { status: 'ok' } } })
      expect(await ada.ask('DELETE', out)).toMatchObject({ status: 404, json: { code: 'unknown_extension' } })
      await say(ada, id, 'without her')
      for (const [method, place, body] of [
        ['GET', `${path}/${id}`, undefined],
        ['GET', `${path}/${id}/messages`, undefined],
        ['PUT', `${path}/${id}/read`, { seq: 1 }],
        ['PUT', `${path}/${id}/settings`, { notify: 'none' }],
        ['POST', `${path}/${id}/leave`, undefined],
        ['POST', `${path}/${id}/messages`, { client_id: newId(), content: 'x' }],
      ] as const) {
        const { status, json } = await cleo.ask(method, place, body)
        expect({ place, status, code: json.code }).toEqual({
          place,
          status: 404,
          code: 'unknown_conversation',
        })
      }
      expect(await cleo.get(`/api/v1/app/messages/${message.id}/receipts`)).toMatchObject({ status: 404 })
      expect((await sync(cleo, `?since=${since}`)).events).toMatchObject([
        { type: 'participant.left', member: person(cleo) },
      ])
      await dataOf(ada.post(`${path}/${id}/participants`, { extensions: [cleo.extension] }))
      expect((await messagesOf(cleo, id)).items).toEqual([])
    })

    test('when its owner leaves, the one who has been there longest owns it', async () => {
      const id = await givenGroup([ada, bob])
      await dataOf(ada.post(`${path}/${id}/participants`, { extensions: [cleo.extension] }))
      expect(await ada.ask('POST', `${path}/${id}/leave`)).toMatchObject({ status: 200 })
      expect(await conversationOf(bob, id)).toMatchObject({ role: 'owner' })
      expect(await conversationOf(cleo, id)).toMatchObject({ role: 'member' })
      expect(await ada.get(`${path}/${id}`)).toMatchObject({ status: 404 })
    })

    test('has at most 500 people', async () => {
      const numbers = Array.from({ length: 501 }, (_, n) => `many-${newId().slice(-8)}-${n}`)
      await gateway.context
        .db('extensions')
        .insert(numbers.map((number) => ({ tenant_id: gateway.tenant.tenantId, number, name: '' })))
      const [one = '', two = '', ...rest] = numbers
      const full = { status: 409, json: { code: 'conversation_full' } }
      expect(await open(ada, { title: 'all', extensions: [one, two, ...rest] })).toMatchObject(full)
      const { json } = await open(ada, { title: 'all', extensions: rest })
      expect(json.data.participants).toHaveLength(500)
      const add = (extensions: string[]) => ada.post(`${path}/${json.data.id}/participants`, { extensions })
      expect(await add([one])).toMatchObject(full)
      expect(await add(rest.slice(0, 3))).toMatchObject({ status: 200 })
      expect((await say(ada, json.data.id)).seq).toBe(1)
    })

    test('a conversation of two has nothing of that', async () => {
      const id = await givenDirect(ada, bob)
      for (const [method, place, body] of [
        ['PATCH', '', { title: 'x' }],
        ['POST', '/participants', { extensions: [cleo.extension] }],
        ['DELETE', `/participants/${bob.extension}`, undefined],
        ['POST', '/leave', undefined],
      ] as const) {
        const { status, json } = await ada.ask(method, `${path}/${id}${place}`, body)
        expect({ place, status, code: json.code }).toEqual({
          place,
          status: 409,
          code: 'conversation_direct',
        })
      }
    })
  })

  describe('one’s own settings', () => {
    test('are one’s own, and what is not given stays', async () => {
      const id = await givenDirect(ada, bob)
      const since = await cursorOf(bob)
      const set = (body: unknown) => dataOf(ada.ask('PUT', `${path}/${id}/settings`, body))
      const until = '2030-01-01T00:00:00.000Z'
      expect(await set({ muted_until: '2030-01-01T01:00:00+01:00' })).toMatchObject({ muted_until: until })
      expect(await set({ notify: 'none' })).toMatchObject({ notify: 'none', muted_until: until })
      expect(await set({ muted_until: null })).toMatchObject({ notify: 'none', muted_until: null })
      expect(await conversationOf(bob, id)).toMatchObject({ notify: 'all', muted_until: null })
      expect((await sync(bob, `?since=${since}`)).events).toEqual([])
    })

    test.each([
      [{ notify: 'some' }, 'notify must be one of all, mentions, none'],
      [{ muted_until: 'tomorrow' }, 'muted_until must be a time like 2026-11-21T10:00:00Z (RFC 3339)'],
      [{ muted: true }, 'unknown field "muted"'],
    ])('refuses %j', async (body, error) => {
      const id = await givenDirect(ada, bob)
      expect(await ada.ask('PUT', `${path}/${id}/settings`, body)).toMatchObject({
        status: 400,
        json: { error },
      })
    })
  })

  test('an extension may be deleted: the others keep what it has said', async () => {
    const [direct, id] = [await givenDirect(ada, bob), await givenGroup([bob, ada, cleo])]
    const [alone, together] = [await say(bob, direct, 'alone'), await say(bob, id, 'together')]
    expect(await gateway.pbx('DELETE', `/extensions/${bob.extension}`)).toMatchObject({ status: 200 })
    expect((await messagesOf(ada, direct)).items).toEqual([alone])
    expect((await messagesOf(cleo, id)).items).toEqual([together])
    expect((await conversationOf(ada, direct)).participants).toMatchObject([{ extension: ada.extension }])
    expect(await trySay(ada, direct)).toMatchObject({ status: 201 })
    expect(await trySay(ada, id)).toMatchObject({ status: 201 })
  })

  test('tenants side by side: the same numbers, and nobody learns of the other’s', async () => {
    const other = await gateway.otherTenant()
    const [dan, eve] = [
      await givenPerson(gateway, { tenantId: other.tenantId, extension: ada.extension, name: 'Dan' }),
      await givenPerson(gateway, { tenantId: other.tenantId, name: 'Eve' }),
    ]
    const [ours, theirs] = [await givenDirect(ada, bob), await givenDirect(dan, eve)]
    await say(bob, ours, 'ours')
    await say(eve, theirs, 'theirs')
    expect((await dataOf(ada.get(path))).items.map(({ id }: { id: string }) => id)).toEqual([ours])
    expect((await dataOf(dan.get(path))).items.map(({ id }: { id: string }) => id)).toEqual([theirs])
    expect(await open(ada, { extension: eve.extension })).toMatchObject({ status: 404 })
    const asGroup = await givenGroup([ada, bob])
    const add = { extensions: [eve.extension] }
    expect(await ada.post(`${path}/${asGroup}/participants`, add)).toMatchObject({ status: 404 })
    expect(await ada.get(`${path}/${theirs}`)).toMatchObject({ status: 404 })
    // Their own extension of the same number is meant.
    const { participants } = await dataOf(open(eve, { extension: ada.extension }))
    expect(participants.map(({ id }: { id: number }) => id).sort()).toEqual(
      [dan.extensionId, eve.extensionId].sort(),
    )
  })
})
