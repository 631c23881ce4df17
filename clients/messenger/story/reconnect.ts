import { messageIn } from '../frame.ts'
import { pageBack } from '../history.ts'
import { catchUp } from '../sync.ts'
import { check, same } from './report.ts'
import { conversationOf, ids, told, type World } from './world.ts'

export async function reconnect(world: World): Promise<void> {
  const { report, alice, bob } = world
  await report.step('a phone that comes back has what it missed and hears what is new', async () => {
    await bob.goOnline('protocol')
    const place = bob.log.end
    await bob.socket.cut()
    const during = await alice.api.send(alice.draft(conversationOf(world), 'While the network was away'))
    await until('a connection that comes back', () => bob.socket.connected)
    await bob.settled()
    await until('what was missed', () => bob.store.get(during.id) !== undefined)
    const after = await alice.sendLive(alice.draft(conversationOf(world), 'After it came back'))
    await bob.log.wait(`message.created of ${after.id}`, place, (frame) => messageIn(frame)?.id === after.id)
  })
  await report.step('in the end both have all messages, in the same order', async () => {
    const whole = told(world, await pageBack(alice.api, conversationOf(world), 200))
    for (const phone of [alice, bob]) {
      await catchUp(phone.api, phone.store, phone.store.cursor ?? world.began)
      same(told(world, phone.store.of(conversationOf(world))), whole, `all of ${phone.account.username}:`)
    }
    same(
      ids(bob.store.of(conversationOf(world))),
      ids(alice.store.of(conversationOf(world))),
      'the same order:',
    )
  })
  await report.step('the list of conversations says when the last message was', async () => {
    const last = alice.store.of(conversationOf(world)).at(-1)
    const listed = (await alice.api.conversations()).find(({ id }) => id === world.conversation)
    check(last !== undefined && listed !== undefined, 'the conversation with a last message', listed)
    same(Date.parse(listed.lastMessageAt ?? ''), Date.parse(last.createdAt), 'lastMessageAt')
  })
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 15_000
  while (!holds()) {
    if (Date.now() > end) throw new Error(`expected ${what} within 15 s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
