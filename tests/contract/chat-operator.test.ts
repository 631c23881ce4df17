import { newId } from '../../src/lib/ids.ts'
import type { AppUser } from '../support/app-callers.ts'
import { dataOf, givenDirect, givenGroup, givenPerson, say, sync } from '../support/chat.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator } from '../support/operators.ts'

/** `GET /api/v1/operator/messages/{id}/pushes`: which phones were told of a message, and why others were not. */
describe.each(BACKENDS)('on %s', (backend) => {
  let gateway: TestGateway
  let cookie: string
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
    cookie = (await givenOperator(gateway, 'viewer')).cookie
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const ask = (id: string, query = '', headers: Record<string, string> = { cookie }) =>
    gateway.request('GET', `/api/v1/operator/messages/${id}/pushes${query}`, { headers })
  const ended = (id: string) =>
    until(
      async () => {
        const { data } = (await ask(id)).json
        const isOpen =
          data.pending ||
          data.pushes.some(({ state }: { state: string }) => state === 'queued' || state === 'sending')
        return isOpen ? undefined : data
      },
      { description: 'everybody was told' },
    )
  const givenPhone = async (who: AppUser) =>
    (await dataOf(who.post('/devices/register', { device_token: apnsToken(), platform: 'ios' }))).id

  test('each phone of a message has its push, or a reason in words', async () => {
    const people = await Promise.all([...Array(4).keys()].map(() => givenPerson(gateway)))
    const [ada, pushed, muted, without] = people as [AppUser, AppUser, AppUser, AppUser]
    const [phone] = [await givenPhone(pushed), await givenPhone(muted)]
    const group = await givenGroup([ada, pushed, muted, without])
    await muted.ask('PUT', `/api/v1/app/conversations/${group}/settings`, { notify: 'none' })
    const message = await say(ada, group)
    const { pushes, withheld, pending } = await ended(message.id)
    expect(pending).toBe(false)
    expect(pushes).toMatchObject([
      {
        message_id: message.id,
        device_id: phone,
        extension: pushed.extension,
        state: 'delivered',
        kind: 'message',
      },
    ])
    const reasons = (withheld as { extension: string }[]).toSorted((a, b) =>
      a.extension === muted.extension ? -1 : b.extension === muted.extension ? 1 : 0,
    )
    expect(reasons).toEqual([
      {
        ...{
          extension_id: muted.extensionId,
          extension: muted.extension,
          reason: 'muted',
          at: expect.any(String),
        },
        detail: 'The conversation is muted, or tells only of mentions.',
      },
      {
        ...{ extension_id: without.extensionId, extension: without.extension, reason: 'no_token' },
        ...{ detail: expect.stringContaining('no token'), at: expect.any(String) },
      },
    ])
  })

  test('pushes come page by page', async () => {
    const people = await Promise.all([...Array(4).keys()].map(() => givenPerson(gateway)))
    for (const one of people.slice(1)) await givenPhone(one)
    const message = await say(people[0] as AppUser, await givenGroup(people))
    await ended(message.id)
    const first = (await ask(message.id, '?limit=2')).json.data
    const second = (await ask(message.id, `?limit=2&cursor=${first.next_cursor}`)).json.data
    const ids = [...first.pushes, ...second.pushes].map(({ device_id }: { device_id: string }) => device_id)
    expect(new Set(ids).size).toBe(3)
    expect(second).not.toHaveProperty('next_cursor')
  })

  test('of a message that its phone had nobody says anything', async () => {
    const [ada, bob] = [await givenPerson(gateway), await givenPerson(gateway)]
    await givenPhone(bob)
    const id = await givenDirect(ada, bob)
    await bob.ask('PUT', '/api/v1/app/push-settings', { preview: 'none' })
    const { next } = await sync(bob)
    const message = await say(ada, id, 'a secret')
    await sync(bob, `?since=${next}`)
    const answer = await ask(message.id)
    expect(answer.status).toBe(200)
    expect(answer.text).not.toContain('a secret')
  })

  test('what nobody knows is empty; what is no id is refused; who is no operator gets nothing', async () => {
    expect((await ask(newId())).json.data).toEqual({ pending: false, pushes: [], withheld: [] })
    expect(await ask('5')).toMatchObject({ status: 400, json: { error: 'id must be a UUID' } })
    expect(await ask(newId(), '?cursor=x')).toMatchObject({ status: 400, json: { field: 'cursor' } })
    const ada = await givenPerson(gateway)
    for (const headers of [{}, { authorization: ada.authorization }]) {
      expect(await ask(newId(), '', headers as Record<string, string>)).toMatchObject({ status: 401 })
    }
  })
})
