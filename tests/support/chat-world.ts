import type { PushSettingsChange } from '../../src/chat/push-settings-store.ts'
import type { Backend } from '../../src/config/config.ts'
import { type Context, createContext } from '../../src/context.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import type { Push, PushOf } from '../../src/push/push.ts'
import { cloneDatabase } from './databases.ts'
import { apnsToken, testConfig } from './gateway.ts'

/** How a worker fares with a push. `dies after`: the phone has it, and nobody knows. */
export type Fate = 'arrives' | 'dies before' | 'dies after' | 'comes back'
export interface Device {
  id: string
  key: string
  owner: Person
  /** Up to which of its owner's events it has them all. */
  acked: number
  /** The number on its icon. */
  badge: number
  arrivals: PushOf<'message'>[]
}
export interface Person {
  index: number
  extensionId: number
  extension: string
  tenantId: string
  devices: Device[]
  dnd: boolean
}
export interface Said {
  id: string
  conversation: number
  seq: number
  sender: Person
  isDeleted: boolean
}

/** A phone's owner, as the API knows who is logged in on it. */
export const callerOf = ({ owner, key }: Device) => ({
  ...{ tenantId: owner.tenantId, extensionId: owner.extensionId, extension: owner.extension },
  deviceKey: key,
})

/**
 * A few people with phones, and what is true of them, kept apart from what the product says of it. The provider is a part of it: each
 * push that arrives is held against the truth of the moment.
 */
export async function openChatWorld(backend: Backend) {
  const opened = new AsyncDisposableStack()
  const database = opened.use(await cloneDatabase())
  const { config, secrets } = testConfig({ backend }, database.url)
  let current: Truth | undefined
  let fate: Fate = 'arrives'
  const failures: unknown[] = []
  const provider = {
    warmUp: async () => undefined,
    check: () => undefined,
    async send(push: Push) {
      if (fate === 'comes back') {
        return { kind: 'retry', class: 'transient', reason: 'busy', detail: 'busy' } as const
      }
      try {
        current?.arrived(push)
      } catch (error) {
        // Not to be taken for the death of a worker.
        failures.push(error)
      }
      if (fate === 'dies after') throw new Error('the worker died')
      return { kind: 'accepted', providerId: push.id } as const
    },
    close: async () => undefined,
  }
  const overrides = { providers: { apns: provider, fcm: provider } }
  const context = opened.use(await createContext(config, secrets, overrides))
  return {
    context,
    /** What arrived and should not have. */
    failures,
    setFate: (next: Fate) => {
      fate = next
    },
    async begin(phones: readonly number[], settings: readonly PushSettingsChange[]): Promise<Truth> {
      current = await createTruth(context, phones, settings)
      return current
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
export type ChatWorld = Awaited<ReturnType<typeof openChatWorld>>

async function createTruth(
  context: Context,
  phones: readonly number[],
  settings: readonly PushSettingsChange[],
) {
  const { tenantId } = await createTenant(context, { name: 'test', tier: 'professional' })
  const people: Person[] = []
  for (const [index, count] of phones.entries()) {
    const extension = `100${index}`
    const { id: extensionId } = await context.extensions.put(tenantId, extension, {})
    const person: Person = { index, extensionId, extension, tenantId, devices: [], dnd: false }
    for (let n = 0; n < count; n += 1) {
      const key = `phone-${index}-${n}`
      const tokens = [{ kind: 'apns' as const, environment: 'production' as const, token: apnsToken() }]
      const { id } = await context.registerDevice({
        tenantId,
        extensionId,
        deviceKey: key,
        appId: 'default',
        tokens,
      })
      person.devices.push({ id, key, owner: person, acked: 0, badge: 0, arrivals: [] })
    }
    await context.pushSettings.change(person, settings[index] ?? {})
    people.push(person)
  }
  const [first, second, ...rest] = people as [Person, Person, ...Person[]]
  const now = new Date()
  const memberIds = [second, ...rest].map(({ extensionId }) => extensionId)
  const group = await context.conversations.createGroup(first, { title: 'All', memberIds }, now)
  const direct = await context.conversations.openDirect(first, second.extensionId, now)
  const conversations = [
    { id: group.result, members: people },
    { id: direct.result.id, members: [first, second] },
  ]
  return { ...createOracle(people, conversations), people, conversations, tenantId }
}
export type Truth = Awaited<ReturnType<typeof createTruth>>

function createOracle(
  people: readonly Person[],
  conversations: readonly { id: string; members: Person[] }[],
) {
  const said: Said[] = []
  const read = new Map<string, number>()
  const muted = new Set<string>()
  const placeOf = (person: Person, conversation: number) => `${person.index} ${conversation}`
  const devices = people.flatMap((person) => person.devices)

  const isUnread = (person: Person, message: Said): boolean =>
    !message.isDeleted &&
    message.sender !== person &&
    conversations[message.conversation]?.members.includes(person) === true &&
    message.seq > (read.get(placeOf(person, message.conversation)) ?? 0)
  const unread = (person: Person): number => said.filter((message) => isUnread(person, message)).length

  return {
    devices,
    said,
    read,
    muted,
    placeOf,
    isUnread,
    unread,
    /** A push is there: is it one that may be there now, and is all of it right? */
    arrived(push: Push): void {
      const device = devices.find(({ id }) => id === push.deviceId)
      if (!device) throw new Error('a push for nobody')
      const { owner } = device
      if (push.kind === 'badge') {
        expect(push.content.badge).toBe(unread(owner))
        device.badge = push.content.badge
        return
      }
      if (push.kind !== 'message') throw new Error(`a ${push.kind} out of nowhere`)
      const shown = said.find(({ id }) => id === push.content.messageId)
      if (!shown) throw new Error('a message that nobody has said')
      const place = placeOf(owner, shown.conversation)
      expect({
        hasIt: device.acked >= (push.subject?.message?.eventSeq ?? 0),
        isUnread: isUnread(owner, shown),
        isMuted: muted.has(place),
        isDnd: owner.dnd,
        badge: push.content.badge,
        inConversation: push.content.unread,
      }).toEqual({
        ...{ hasIt: false, isUnread: true, isMuted: false, isDnd: false, badge: unread(owner) },
        inConversation: said.filter(
          (each) => each.conversation === shown.conversation && isUnread(owner, each),
        ).length,
      })
      device.badge = push.content.badge ?? -1
      device.arrivals.push(push)
    },
  }
}
