import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Phone } from '../phone.ts'
import { check, refusal } from './report.ts'
import { conversationOf, type World } from './world.ts'

export async function strangers(world: World): Promise<void> {
  const { report, alice, stranger } = world
  // Without a third account there is none who could be a stranger to this conversation, but there is one that is not there.
  const [who, where, statuses] =
    stranger === null ? [alice, randomUUID(), [403, 404]] : [stranger, conversationOf(world), [403]]

  await report.step('a foreign conversation is not shown', async () => {
    await refusal(who.api.messages(where, 50), statuses)
  })
  await report.step('a foreign conversation takes no message over REST', async () => {
    await refusal(who.api.send(who.draft(where, 'Not for you')), statuses)
  })
  await report.step('a foreign conversation takes no message over the WebSocket', () =>
    overSocket(world, who, where),
  )
  if (stranger === null) return
  await report.step('a foreign conversation is neither listed nor told of', async () => {
    const list = await stranger.api.conversations()
    check(!list.some(({ id }) => id === where), 'a list without it', list)
    const page = await stranger.api.sync(world.began)
    check(page.messages.length === 0, 'a sync without messages', page)
  })
}

async function overSocket(world: World, who: Phone, where: string): Promise<void> {
  if (who !== world.alice) await who.goOnline('protocol')
  const [place, others] = [who.log.end, world.bob.log.end]
  const draft = who.draft(where, 'Not for you')
  who.socket.send('message.send', { ...draft })
  await sleep(1500)
  world.report.note(
    `a message.send which is refused is answered with ${JSON.stringify(who.log.since(place))}`,
  )
  const heard = [...who.log.since(place), ...world.bob.log.since(others)].filter(
    (frame) => frame.type === 'message.created',
  )
  check(heard.length === 0, 'no message.created', heard)
  check(who.socket.connected, 'a connection that stays', 'one that was closed')
}
