import { pageBack } from '../history.ts'
import { MessageStore } from '../store.ts'
import { catchUp } from '../sync.ts'
import { presence, receipt } from './live.ts'
import { check, refusal, same } from './report.ts'
import { conversationOf, ids, told, type World } from './world.ts'

export async function offline(world: World): Promise<void> {
  const { report, alice, bob } = world
  const missed: string[] = []
  await report.step('a first sync by time brings a cursor', async () => {
    await catchUp(bob.api, bob.store, world.began)
    check(bob.store.cursor !== null, 'a cursor', bob.store.cursor)
  })
  await report.step('the other is seen going offline', async () => {
    const place = alice.log.end
    await bob.goOffline()
    await presence(world, 'offline', place)
  })
  await report.step('messages are sent while the other is offline', async () => {
    for (let n = 1; n <= 5; n++) {
      const draft = alice.draft(conversationOf(world), `Missed ${n}`)
      missed.push((n % 2 === 0 ? await alice.sendLive(draft) : await alice.api.send(draft)).id)
    }
  })
  let place = 0
  await report.step('a sync with the cursor brings exactly what was missed', async () => {
    place = alice.log.end
    const { cursor } = bob.store
    check(cursor !== null, 'a cursor of before', cursor)
    same(ids(await catchUp(bob.api, bob.store, cursor)), missed, 'what was missed, in its order:')
  })
  await report.step('the sync was a receipt for all that it brought', () => receipts(world, missed, place))
  await report.step('a sync with the newest cursor brings nothing', async () => {
    const { cursor } = bob.store
    check(cursor !== null, 'a cursor', cursor)
    same(ids(await catchUp(bob.api, bob.store, cursor)), [], 'messages:')
  })
  await byTime(world, missed)
}

/** The receipt for the last may stand for all before it; each message has to say that it was delivered in any case. */
async function receipts(world: World, missed: readonly string[], place: number): Promise<void> {
  const { report, alice } = world
  const last = missed.at(-1)
  check(last !== undefined, 'messages that were missed', missed)
  await receipt(world, 'message.delivered', last, place)
  const heard = alice.log.since(place).filter(({ type }) => type === 'message.delivered')
  report.note(`${missed.length} messages that a sync delivered: ${heard.length} message.delivered`)
  const all = await alice.api.messages(conversationOf(world), 200)
  const unmarked = all.filter(({ id, deliveredAt }) => missed.includes(id) && deliveredAt === null)
  same(ids(unmarked), [], 'without deliveredAt:')
}

/** As before, for one whose device is registered. */
export async function offlineWithDevice(world: World): Promise<void> {
  const { report, alice, bob } = world
  await report.step('the sync of a registered device is a receipt too', async () => {
    const missed: string[] = []
    for (let n = 1; n <= 3; n++) {
      missed.push((await alice.api.send(alice.draft(conversationOf(world), `For a device ${n}`))).id)
    }
    const { cursor } = bob.store
    check(cursor !== null, 'a cursor of before', cursor)
    const place = alice.log.end
    same(ids(await catchUp(bob.api, bob.store, cursor)), missed, 'what was missed:')
    await receipts(world, missed, place)
  })
}

async function byTime(world: World, missed: readonly string[]): Promise<void> {
  const { report, alice, bob } = world
  await report.step('a sync with a time loses nothing, and merges without duplicates', async () => {
    const oldest = bob.store.get(missed[0] ?? '')
    check(oldest !== undefined, 'the first missed message', missed)
    const came = ids(await catchUp(bob.api, bob.store, oldest.createdAt))
    const lost = missed.filter((id) => !came.includes(id))
    same(lost, [], 'lost:')
    const shown = ids(bob.store.of(conversationOf(world)))
    same(new Set(shown).size, shown.length, 'none shown twice:')
  })
  await report.step('a time is taken without fractions of a second too, and in any zone', async () => {
    // An app writes times as its system does: without fractions on some, with the zone of the place on others.
    const whole = `${world.began.slice(0, 19)}Z`
    const zone = `${new Date(Date.parse(world.began) + 7_200_000).toISOString().slice(0, 23)}+02:00`
    for (const since of [whole, zone]) {
      const came = ids((await bob.api.sync(since)).messages)
      same(came.slice(0, 3), ids((await bob.api.sync(world.began)).messages).slice(0, 3), `by ${since}:`)
    }
  })
  await report.step('a since that is neither a cursor nor a time is refused', async () => {
    await refusal(bob.api.sync('yesterday'), [400])
  })
  await report.step('a new phone has all of both by a sync from the beginning', async () => {
    const whole = told(world, await pageBack(alice.api, conversationOf(world), 200))
    for (const phone of [alice, bob]) {
      const fresh = new MessageStore()
      await catchUp(phone.api, fresh, world.began)
      same(told(world, fresh.of(conversationOf(world))), whole, `all of ${phone.account.username}:`)
    }
  })
}
