import { pageBack } from '../history.ts'
import { same } from './report.ts'
import { conversationOf, ids, type World } from './world.ts'

/** Pages back in small steps, and holds it against what one large page has. */
export async function paging(world: World, name: string, limit: number): Promise<void> {
  await world.report.step(name, async () => {
    const conversation = conversationOf(world)
    const all = await pageBack(world.alice.api, conversation, 200)
    const whole = ids(all)
    const paged = ids(await pageBack(world.alice.api, conversation, limit))
    same(new Set(paged).size, paged.length, 'none twice:')
    const lost = whole.filter((id) => !paged.includes(id))
    same(lost, [], `of ${whole.length} messages, lost in pages of ${limit}:`)
    same(paged.length, whole.length, 'messages:')
    const moments = new Set(all.map(({ createdAt }) => createdAt)).size
    world.report.note(`${all.length} messages of ${moments} moments, in pages of ${limit}`)
  })
}
