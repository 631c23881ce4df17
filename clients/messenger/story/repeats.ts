import { setTimeout as sleep } from 'node:timers/promises'
import { pageBack } from '../history.ts'
import { check, same } from './report.ts'
import { conversationOf, type World } from './world.ts'

/** What is sent again because no answer came must not become a second message. */
export async function repeats(world: World): Promise<void> {
  const { report, alice, bob } = world
  async function once(clientId: string): Promise<void> {
    const all = await pageBack(alice.api, conversationOf(world), 200)
    same(all.filter((message) => message.clientId === clientId).length, 1, 'messages of this clientId:')
    const heard = bob.log.since(0).filter((frame) => JSON.stringify(frame).includes(clientId))
    check(heard.length <= 1, 'the other to hear of it once', heard)
  }

  await report.step('sent again over REST, it is the same message', async () => {
    const draft = alice.draft(conversationOf(world), 'Twice over REST')
    const [first, second] = [await alice.api.send(draft), await alice.api.send(draft)]
    same(second.id, first.id, 'id')
    await once(draft.clientId)
  })
  await report.step('sent at once over REST several times, it is the same message', async () => {
    const draft = alice.draft(conversationOf(world), 'Five times at once')
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => alice.api.send(draft)))
    same(new Set(all.map(({ id }) => id)).size, 1, 'ids:')
    await once(draft.clientId)
  })
  await report.step('sent again over the WebSocket, it is the same message', async () => {
    const draft = alice.draft(conversationOf(world), 'Twice over the WebSocket')
    const first = await alice.sendLive(draft)
    const place = alice.log.end
    alice.socket.send('message.send', { ...draft })
    await sleep(1500)
    const answers = alice.log.since(place).filter((frame) => JSON.stringify(frame).includes(draft.clientId))
    report.note(`a repeated message.send is answered with ${JSON.stringify(answers.map(({ type }) => type))}`)
    const over = await alice.api.send(draft)
    same(over.id, first.id, 'over REST the same id')
    await once(draft.clientId)
  })
}
