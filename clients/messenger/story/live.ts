import { messageIn } from '../frame.ts'
import { LiveSocket } from '../socket.ts'
import type { Message } from '../types.ts'
import { check, isUuid, same } from './report.ts'
import { conversationOf, type World } from './world.ts'

export async function live(world: World): Promise<void> {
  await connecting(world)
  const { report, alice, bob } = world
  let sent: Message | null = null
  const place = alice.log.end

  await report.step('a message over the WebSocket comes back as message.created', async () => {
    const draft = alice.draft(conversationOf(world), 'Over the WebSocket: \u{1f44b} &<b>"quoted"</b>')
    sent = await alice.sendLive(draft)
    isUuid(sent.id, 'the id of a message')
    const { content, kind, senderId, conversationId } = sent
    same([content, kind], [draft.content, draft.kind], 'the message')
    same([senderId, conversationId], [alice.me.id, world.conversation], 'sender and conversation')
    check(Math.abs(Date.parse(sent.createdAt) - Date.now()) < 60_000, 'createdAt of now', sent.createdAt)
  })
  await report.step('the other sees message.created', async () => {
    const id = sentId(sent)
    await bob.log.wait(`message.created of ${id}`, 0, (frame) => messageIn(frame)?.id === id)
    same(bob.store.get(id)?.content, sent?.content, 'content')
  })
  await report.step('the sender sees message.delivered', async () => {
    await receipt(world, 'message.delivered', sentId(sent), place)
  })
  await report.step('the sender sees message.read', async () => {
    bob.read(sentId(sent))
    await receipt(world, 'message.read', sentId(sent), place)
  })
  await report.step('the message says when it was delivered and read', async () => {
    const id = sentId(sent)
    const list = await alice.api.messages(conversationOf(world), 50)
    const message = list.find((one) => one.id === id)
    check(
      message !== undefined && message.deliveredAt !== null && message.readAt !== null,
      'both times',
      message,
    )
  })
  await overRest(world)
}

async function connecting(world: World): Promise<void> {
  const { report, alice, bob, base } = world
  await report.step('a WebSocket without a token, or with a wrong one, is refused', async () => {
    for (const [token, proof] of [
      [null, 'header'],
      ['wrong', 'header'],
      ['wrong', 'protocol'],
    ] as const) {
      const socket = new LiveSocket(base, token, proof, { frame: () => {}, connected: () => {} })
      const opened = await socket.open().then(
        () => true,
        () => false,
      )
      // Some take every connection and close those at once which they do not like: that is a refusal too.
      if (opened) await new Promise((resolve) => setTimeout(resolve, 1000))
      const stayed = opened && socket.connected
      await socket.close()
      check(!stayed, 'no connection', `one with token ${token} as ${proof}`)
    }
  })
  await report.step('a WebSocket with the token as subprotocol', () => alice.goOnline('protocol'))
  await report.step('a WebSocket with the token in a header', async () => {
    await bob.goOnline('header')
  })
  await report.step('the other is seen coming online', async () => {
    await presence(world, 'online', 0)
  })
}

export async function presence(world: World, status: string, place: number): Promise<void> {
  const { alice, bob } = world
  await alice.log.wait(
    `user.presence of ${bob.me.id} with status ${status}`,
    place,
    ({ type, fields }) => type === 'user.presence' && fields.userId === bob.me.id && fields.status === status,
    20_000,
  )
}

export async function receipt(world: World, type: string, messageId: string, place: number): Promise<void> {
  await world.alice.log.wait(
    `${type} of ${messageId}`,
    place,
    (frame) => frame.type === type && frame.fields.messageId === messageId,
  )
}

async function overRest(world: World): Promise<void> {
  const { report, alice, bob } = world
  await report.step('a message over REST reaches both connections', async () => {
    const places = [alice.log.end, bob.log.end] as const
    const message = await bob.api.send(bob.draft(conversationOf(world), 'Over REST'))
    for (const [at, phone] of [alice, bob].entries()) {
      await phone.log.wait(
        `message.created of ${message.id} to ${phone.account.username}`,
        places[at] ?? 0,
        (frame) => messageIn(frame)?.id === message.id,
      )
    }
  })
}

function sentId(sent: Message | null): string {
  if (sent === null) throw new Error('there is no message that it could be about')
  return sent.id
}
