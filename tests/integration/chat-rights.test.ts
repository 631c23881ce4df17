import type { AppUser } from '../support/app-callers.ts'
import {
  conversationOf,
  cursorOf,
  dataOf,
  givenGroup,
  givenPeople,
  messagesOf,
  say,
  sync,
} from '../support/chat.ts'
import { until } from '../support/conditions.ts'
import { type Answer, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { isSomebodyWaiting } from '../support/token-books.ts'

/** What somebody may is decided in the moment in which it is done, not in the one in which he asked. */
describe.each(BACKENDS)('rights in a group on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  type World = Record<'ada' | 'bob' | 'cleo', AppUser> & { id: string; place: string }
  const changes: [what: string, change: (world: World) => Promise<Answer>][] = [
    ['renames it', ({ ada, place }) => ada.ask('PATCH', place, { title: 'Mine' })],
    [
      'lets somebody in',
      ({ ada, cleo, place }) => ada.post(`${place}/participants`, { extensions: [cleo.extension] }),
    ],
    [
      'takes somebody out',
      ({ ada, bob, place }) => ada.ask('DELETE', `${place}/participants/${bob.extension}`),
    ],
  ]

  test.each(
    changes.flatMap(([what, change]) => [
      { what, change, becomes: 'a member', role: 'member', leftAt: null, refusal: [403, 'not_the_owner'] },
      {
        what,
        change,
        becomes: 'nobody',
        role: 'member',
        leftAt: new Date(),
        refusal: [404, 'unknown_conversation'],
      },
    ]),
  )('an owner who $what while he becomes $becomes is refused', async ({ change, role, leftAt, refusal }) => {
    const [ada, bob, cleo] = (await givenPeople(gateway, 3)) as [AppUser, AppUser, AppUser]
    const id = await givenGroup([ada, bob])
    const before = await conversationOf(bob, id)
    const other = await gateway.context.db.transaction()
    await other('conversations').where({ id }).forNoKeyUpdate()
    await other('participants')
      .where({ conversation_id: id, extension_id: ada.extensionId })
      .update({ role, left_at: leftAt })

    const asked = change({ ada, bob, cleo, id, place: `/api/v1/app/conversations/${id}` })
    await until(() => isSomebodyWaiting(gateway.context.db), { description: 'the change waits' }).finally(
      () => other.commit(),
    )
    const { status, json } = await asked
    expect([status, json.code]).toEqual(refusal)
    const { title, participants } = await conversationOf(bob, id)
    expect(title).toBe(before.title)
    const rest = (all: { id: number }[]) => all.map((one) => one.id).filter((one) => one !== ada.extensionId)
    expect(rest(participants)).toEqual(rest(before.participants))
  })

  test.each([
    [
      'was taken out',
      ({ ada, bob, place }: World) => ada.ask('DELETE', `${place}/participants/${bob.extension}`),
    ],
    ['has left', ({ bob, place }: World) => bob.ask('POST', `${place}/leave`)],
  ])('who %s is not told what becomes of what was said before', async (_, change) => {
    const [ada, bob, cleo] = (await givenPeople(gateway, 3)) as [AppUser, AppUser, AppUser]
    const id = await givenGroup([ada, bob])
    const elsewhere = await givenGroup([bob, ada])
    const since = await cursorOf(bob)
    const message = await say(ada, id, 'first words')
    await say(ada, elsewhere, 'stays')
    await dataOf(change({ ada, bob, cleo, id, place: `/api/v1/app/conversations/${id}` }))
    await dataOf(ada.ask('PATCH', `/api/v1/app/messages/${message.id}`, { content: 'second thoughts' }))

    const { events } = await sync(bob, `?since=${since}`)
    expect(events).toMatchObject([
      { type: 'message.created', message: { content: 'stays' } },
      { type: 'participant.left', conversation_id: id },
    ])
    expect(await messagesOf(ada, id)).toMatchObject({ items: [{ content: 'second thoughts' }] })
  })

  test.each([
    ['edited', (ada: AppUser, place: string) => ada.ask('PATCH', place, { content: 'second thoughts' })],
    ['deleted', (ada: AppUser, place: string) => ada.ask('DELETE', place)],
  ])('who has come later is not told that an older message was %s', async (_, change) => {
    const [ada, bob, cleo] = (await givenPeople(gateway, 3)) as [AppUser, AppUser, AppUser]
    const id = await givenGroup([ada, bob])
    const message = await say(ada, id, 'first words')
    await dataOf(ada.post(`/api/v1/app/conversations/${id}/participants`, { extensions: [cleo.extension] }))
    const [toBob, toCleo] = [await cursorOf(bob), await cursorOf(cleo)]
    await dataOf(change(ada, `/api/v1/app/messages/${message.id}`))
    const told = async (who: AppUser, since: string) =>
      (await sync(who, `?since=${since}`)).events.map(({ type }: { type: string }) => type)
    expect(await told(bob, toBob)).toEqual([expect.stringMatching(/^message\./)])
    expect(await told(cleo, toCleo)).toEqual([])
  })
})
