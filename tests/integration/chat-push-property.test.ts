import fc from 'fast-check'
import { pushIdOf } from '../../src/chat/chat.ts'
import { escalationIdOf } from '../../src/chat/make-notice.ts'
import type { PushSettingsChange } from '../../src/chat/push-settings-store.ts'
import type { Context } from '../../src/context.ts'
import {
  type ChatWorld,
  callerOf,
  type Device,
  type Fate,
  openChatWorld,
  type Truth,
} from '../support/chat-world.ts'
import { BACKENDS } from '../support/gateway.ts'

/** Ada has one phone, Bob two, Cem one. All are in a group; Ada and Bob talk alone, too. */
const PHONES = [1, 2, 1]
const person = fc.nat({ max: 2 })
const device = fc.nat({ max: 3 })
const conversation = fc.constantFrom(0, 0, 1)

type Deed =
  | { does: 'says'; person: number; conversation: number }
  | { does: 'has all' | 'opens' | 'leaves'; device: number }
  | { does: 'reads'; device: number; conversation: number }
  | { does: 'deletes'; which: number }
  | { does: 'mutes'; person: number; conversation: number; isMuted: boolean }
  | { does: 'silences'; person: number; dnd: boolean }
  | { does: 'relay' | 'relay dies' | 'time passes' }
  | { does: 'worker'; which: number; fate: Fate }

const deeds: fc.Arbitrary<Deed[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ does: fc.constant('says' as const), person, conversation }) },
    {
      weight: 3,
      arbitrary: fc.record({ does: fc.constantFrom('has all' as const, 'opens', 'leaves'), device }),
    },
    { weight: 2, arbitrary: fc.record({ does: fc.constant('reads' as const), device, conversation }) },
    {
      weight: 2,
      arbitrary: fc.record({ does: fc.constant('deletes' as const), which: fc.nat({ max: 20 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        does: fc.constant('mutes' as const),
        person,
        conversation,
        isMuted: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constant('silences' as const), person, dnd: fc.boolean() }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ does: fc.constantFrom('relay' as const, 'relay', 'relay dies', 'time passes') }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        does: fc.constant('worker' as const),
        which: fc.nat({ max: 20 }),
        fate: fc.constantFrom<Fate>('arrives', 'arrives', 'dies before', 'dies after', 'comes back'),
      }),
    },
  ),
  { minLength: 5, maxLength: 40 },
)
const settings: fc.Arbitrary<PushSettingsChange[]> = fc.array(
  fc.record({
    pushWhen: fc.constantFrom(
      'no_device_acked' as const,
      'no_device_acked',
      'this_device_not_acked',
      'always',
    ),
    escalateAfterSeconds: fc.constantFrom(0, 0, 30),
  }),
  { minLength: 3, maxLength: 3 },
)

const speaks: Deed = { does: 'says', person: 0, conversation: 1 }
const worker = (which: number): Deed => ({ does: 'worker', which, fate: 'arrives' })
const usual: PushSettingsChange[] = [{}, {}, {}]
/** Too rare to wait for. */
const RARE: [PushSettingsChange[], Deed[]][] = [
  // The second takes the place of the first, and is deleted before it leaves.
  [usual, [speaks, speaks, { does: 'relay' }, worker(0), worker(0), { does: 'deletes', which: 1 }]],
  // The second is only in the outbox when the first would leave, and is deleted there.
  [
    usual,
    [
      { does: 'says', person: 0, conversation: 0 },
      { does: 'relay' },
      { does: 'says', person: 0, conversation: 0 },
      worker(0),
      { does: 'says', person: 1, conversation: 0 },
      { does: 'deletes', which: 1 },
    ],
  ],
  // One that is looked at again, because nobody reads it, and is overtaken then.
  [
    [{}, { escalateAfterSeconds: 30 }, {}],
    [
      { does: 'says', person: 0, conversation: 0 },
      { does: 'has all', device: 1 },
      { does: 'says', person: 0, conversation: 0 },
      { does: 'says', person: 0, conversation: 0 },
    ],
  ],
  // It has arrived, and is deleted then.
  [usual, [speaks, { does: 'relay' }, worker(0), worker(0), { does: 'deletes', which: 0 }]],
]

const ATTEMPT = { number: 0, last: false, pauseMs: 1_000 }
const FAR = new Date('2200-01-01T00:00:00Z')
/** How often a push's worker died after the phone had it. */
type Deaths = Map<string, number>

async function has(context: Context, truth: Truth, one: Device): Promise<void> {
  const newest = (await context.chatUsers.seqs([one.owner.extensionId])).get(one.owner.extensionId) ?? 0
  await context.receipts.ack(callerOf(one), newest, new Date())
  one.acked = newest
  one.badge = truth.unread(one.owner)
}

async function reads(context: Context, truth: Truth, one: Device, place: number): Promise<void> {
  const { id, members } = truth.conversations[place] ?? { id: '', members: [] }
  if (!members.includes(one.owner)) return
  await has(context, truth, one)
  const last = truth.said.filter((message) => message.conversation === place).at(-1)?.seq ?? 0
  await context.receipts.read(callerOf(one), id, last, new Date())
  truth.read.set(truth.placeOf(one.owner, place), last)
  one.badge = truth.unread(one.owner)
}

async function says(context: Context, truth: Truth, index: number, place: number): Promise<void> {
  const { id, members } = truth.conversations[place] ?? { id: '', members: [] }
  const sender = truth.people[index]
  if (!sender || !members.includes(sender)) return
  const { message } = await context.sendMessage({
    ...{ caller: sender, conversationId: id, kind: 'text', content: `message ${truth.said.length}` },
    clientId: String(truth.said.length),
  })
  truth.said.push({ id: message.id, conversation: place, seq: message.seq, sender, isDeleted: false })
}

async function deletes(context: Context, truth: Truth, which: number): Promise<void> {
  const message = truth.said[which % Math.max(1, truth.said.length)]
  if (!message || message.isDeleted) return
  await context.messageChanges.remove(message.sender, message.id, new Date())
  message.isDeleted = true
}

async function work(
  { context, setFate }: ChatWorld,
  deaths: Deaths,
  which: number,
  fate: Fate,
): Promise<void> {
  const rows = await context.db('pending_pushes').select('id').orderBy('accepted_at').orderBy('id')
  const id = rows[which % Math.max(1, rows.length)]?.id as string | undefined
  if (!id) return
  if (fate === 'dies before') return void (await context.pendingPushes.take([id]))
  setFate(fate)
  const delivered = context.deliverMessage(id, 'apns', ATTEMPT)
  if (fate !== 'dies after') await delivered
  else {
    await delivered.then(
      () => undefined, // it was skipped, so nothing was sent that could be lost
      () => deaths.set(id, (deaths.get(id) ?? 0) + 1),
    )
  }
}

const timePasses = async ({ db }: Context) => {
  await db('chat_outbox').update({ due_at: new Date(0) })
  await db('due_badges').update({ due_at: new Date(0) })
}

async function act(world: ChatWorld, truth: Truth, deaths: Deaths, deed: Deed): Promise<unknown> {
  const { context } = world
  switch (deed.does) {
    case 'says':
      return says(context, truth, deed.person, deed.conversation)
    case 'has all':
      return has(context, truth, truth.devices[deed.device] as Device)
    case 'opens':
    case 'leaves':
      return context.attention.note((truth.devices[deed.device] as Device).id, deed.does === 'opens')
    case 'reads':
      return reads(context, truth, truth.devices[deed.device] as Device, deed.conversation)
    case 'deletes':
      return deletes(context, truth, deed.which)
    case 'mutes': {
      const [owner, place] = [truth.people[deed.person], truth.conversations[deed.conversation]]
      if (!owner || !place?.members.includes(owner)) return
      const key = truth.placeOf(owner, deed.conversation)
      if (deed.isMuted) truth.muted.add(key)
      else truth.muted.delete(key)
      return context.conversations.setOwn(
        owner,
        place.id,
        { mutedUntil: deed.isMuted ? FAR : null },
        new Date(),
      )
    }
    case 'silences': {
      const owner = truth.people[deed.person]
      if (!owner) return
      owner.dnd = deed.dnd
      return context.extensions.put(owner.tenantId, owner.extension, { dnd: deed.dnd })
    }
    case 'relay':
      return context.relayChat()
    case 'relay dies':
      return context.chatOutbox.take(50)
    case 'time passes':
      return timePasses(context)
    case 'worker':
      return work(world, deaths, deed.which, deed.fate)
  }
}

/** Until nothing is left to do, and nobody dies any more. */
async function settle(world: ChatWorld): Promise<void> {
  const { context, setFate } = world
  setFate('arrives')
  for (let round = 0; round < 20; round += 1) {
    await timePasses(context)
    while (await context.relayChat());
    const rows = await context.db('pending_pushes').select('id').orderBy('accepted_at').orderBy('id')
    for (const { id } of rows) await context.deliverMessage(id, 'apns', ATTEMPT)
    const left = await Promise.all(
      ['chat_outbox', 'due_badges', 'pending_pushes'].map((table) => context.db(table).select().limit(1)),
    )
    if (left.every((found) => found.length === 0)) return
  }
  throw new Error('there is always something left to do')
}

/** Each phone that has not got an unread message was pushed it, or a newer one in its place, or there is a reason why not. */
async function expectEachTold({ db }: Context, { devices, said, isUnread }: Truth): Promise<void> {
  const withheld = await db('withheld_pushes').select('message_id', 'device_id', 'extension_id', 'reason')
  const skipped = await db('push_logs').select('id', 'reason').where({ state: 'skipped' })
  for (const one of devices) {
    for (const message of said.filter((each) => isUnread(one.owner, each))) {
      const events = await db('user_events')
        .select('seq')
        .where({ extension_id: one.owner.extensionId, message_id: message.id, type: 'message.created' })
      if (one.acked >= events[0]?.seq) continue
      const isTold = one.arrivals.some(({ subject }) => subject?.message?.id === message.id)
      const why = [
        ...withheld.filter(
          (row) =>
            row.message_id === message.id &&
            row.extension_id === one.owner.extensionId &&
            (row.device_id === null || row.device_id === one.id),
        ),
        ...skipped.filter(
          ({ id }) => id === pushIdOf(message.id, one.id) || id === escalationIdOf(message.id, one.id),
        ),
      ].map(({ reason }) => reason)
      expect({ message: message.id, device: one.key, isTold: isTold || why.length > 0 }).toMatchObject({
        isTold: true,
      })
      // What a newer one took the place of is shown by that, as long as it was not said to be unwanted itself.
      if (!isTold && why.every((reason) => reason === 'superseded')) {
        const later = one.arrivals.filter(
          ({ subject }) =>
            subject?.message?.conversationId !== undefined &&
            said.find(({ id }) => id === subject.message?.id)?.conversation === message.conversation &&
            (subject.message?.seq ?? 0) > message.seq,
        )
        expect({ message: message.id, device: one.key, later: later.length > 0 }).toMatchObject({
          later: true,
        })
      }
    }
  }
}

test.each(BACKENDS)(
  'every phone is told what it does not have, once, or there is a reason; and its icon is right: %s',
  async (backend) => {
    await using world = await openChatWorld(backend)
    const { context } = world
    await fc.assert(
      fc.asyncProperty(settings, deeds, async (wishes, all) => {
        const truth = await world.begin(PHONES, wishes)
        const deaths: Deaths = new Map()
        for (const deed of all) await act(world, truth, deaths, deed)
        await settle(world)
        expect(world.failures).toEqual([])
        await expectEachTold(context, truth)
        for (const { arrivals } of truth.devices) {
          for (const [id, same] of Map.groupBy(arrivals, (push) => push.id)) {
            expect(same.length).toBeLessThanOrEqual(1 + (deaths.get(id) ?? 0))
          }
          // A second push of a message is another one only where the first said nothing.
          const distinct = new Set(arrivals.map(({ id }) => id))
          const messages = new Set(arrivals.map(({ subject }) => subject?.message?.id))
          expect(distinct.size).toBe(messages.size)
        }
        const icons = truth.devices.map(({ key, badge }) => [key, badge])
        expect(icons).toEqual(truth.devices.map(({ key, owner }) => [key, truth.unread(owner)]))
      }),
      { numRuns: 30, examples: RARE },
    )
  },
  180_000,
)
