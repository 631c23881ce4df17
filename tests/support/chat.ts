import { newId } from '../../src/lib/ids.ts'
import { type AppUser, givenAppUser } from './app-callers.ts'
import type { Answer, TestGateway } from './gateway.ts'

/** Somebody with a number that nobody else has. */
export const givenPerson = (
  gateway: TestGateway,
  more: { tenantId?: string; extension?: string; name?: string; deviceKey?: string } = {},
): Promise<AppUser> =>
  givenAppUser(gateway, {
    tenantId: gateway.tenant.tenantId,
    extension: `e-${newId().slice(-12)}`,
    name: 'Ada',
    ...more,
  })

export const givenPeople = (gateway: TestGateway, count: number): Promise<AppUser[]> =>
  Promise.all(Array.from({ length: count }, () => givenPerson(gateway)))

/** What was answered, once it is certain that it was not refused. */
export async function dataOf(answer: Promise<Answer>): Promise<Answer['json']> {
  const { status, json, text } = await answer
  if (status >= 300) throw new Error(`refused with ${status}: ${text}`)
  return json.data
}

/** The id of the conversation of two. */
export const givenDirect = async (one: AppUser, other: AppUser): Promise<string> =>
  (await dataOf(one.post('/api/v1/app/conversations', { extension: other.extension }))).id

/** The id of a group that its first person has made. */
export async function givenGroup(
  [owner, ...members]: readonly AppUser[],
  title = 'Front desk',
): Promise<string> {
  if (!owner) throw new Error('a group needs somebody')
  const extensions = members.map(({ extension }) => extension)
  return (await dataOf(owner.post('/api/v1/app/conversations', { title, extensions }))).id
}

export const trySay = (who: AppUser, conversation: string, body: Record<string, unknown> = {}) =>
  who.post(`/api/v1/app/conversations/${conversation}/messages`, {
    ...{ client_id: newId(), content: 'Are you coming?', ...body },
  })
/** Says something; gives back the message. */
export const say = (who: AppUser, conversation: string, content = 'Are you coming?') =>
  dataOf(trySay(who, conversation, { content }))

export const conversationOf = (who: AppUser, id: string) => dataOf(who.get(`/api/v1/app/conversations/${id}`))
export const messagesOf = async (who: AppUser, id: string, query = '') =>
  dataOf(who.get(`/api/v1/app/conversations/${id}/messages${query}`))
export const readUpTo = (who: AppUser, id: string, upTo: { seq: number } | { message_id: string }) =>
  who.ask('PUT', `/api/v1/app/conversations/${id}/read`, upTo)

export const sync = (who: AppUser, query = '') => dataOf(who.get(`/api/v1/app/sync${query}`))
/** A cursor from which on only news come. */
export const cursorOf = async (who: AppUser): Promise<string> => (await sync(who)).next
