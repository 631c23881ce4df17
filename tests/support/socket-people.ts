import type { Context } from '../../src/context.ts'
import { newId } from '../../src/lib/ids.ts'
import { type AppUser, givenAppUser } from './app-callers.ts'
import type { TestGateway } from './gateway.ts'

type World = Pick<TestGateway, 'context' | 'request' | 'tenant'>

/** Somebody who is logged in on a phone of his own. */
export async function givenPerson(
  { context, request, tenant }: World,
  extension: string,
  { tenantId = tenant.tenantId } = {},
): Promise<AppUser & { deviceKey: string }> {
  const deviceKey = `phone-${newId()}`
  const user = await givenAppUser(
    { context, request },
    { tenantId, extension, name: `N${extension}`, deviceKey },
  )
  await context.registerDevice({
    ...{ tenantId, extensionId: user.extensionId, deviceKey, appId: 'default' },
    tokens: [{ kind: 'apns', environment: 'production', token: newId().replaceAll('-', '').repeat(2) }],
  })
  return { ...user, deviceKey }
}
export type Person = Awaited<ReturnType<typeof givenPerson>>

type Member = Pick<AppUser, 'tenantId' | 'extensionId'>

export async function givenDirect(context: Context, one: Member, other: Member): Promise<string> {
  await context.chatUsers.ensure(one.tenantId, [one.extensionId, other.extensionId])
  const { result, events } = await context.conversations.openDirect(one, other.extensionId, new Date())
  await context.chatNews.tellEvents(one.tenantId, events)
  return result.id
}

export async function givenGroup(
  context: Context,
  owner: Member,
  others: readonly Member[],
): Promise<string> {
  const memberIds = others.map(({ extensionId }) => extensionId)
  await context.chatUsers.ensure(owner.tenantId, [owner.extensionId, ...memberIds])
  const { result, events } = await context.conversations.createGroup(
    owner,
    { title: 'all', memberIds },
    new Date(),
  )
  await context.chatNews.tellEvents(owner.tenantId, events)
  return result
}

/** Says something without a socket. */
export const sayIn = (
  context: Context,
  { tenantId, extensionId, extension }: Member & { extension: string },
  conversationId: string,
  content = 'hello',
) =>
  context.sendMessage({
    ...{ caller: { tenantId, extensionId, extension }, conversationId, content },
    ...{ clientId: newId(), kind: 'text' },
  })
