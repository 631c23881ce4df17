import { pageBack } from '../history.ts'
import { Refused } from '../http.ts'
import type { Fields } from '../json.ts'
import type { Phone } from '../phone.ts'
import type { Conversation } from '../types.ts'
import { check, same } from './report.ts'
import type { World } from './world.ts'

/** Nothing says how a conversation begins: the natural forms, the likeliest first. */
function forms(other: Phone): Fields[] {
  const { id, username } = other.me
  return [
    { participantIds: [id] },
    { participants: [id] },
    { userIds: [id] },
    { memberIds: [id] },
    { members: [id] },
    { userId: id },
    { participantId: id },
    { participants: [username] },
    { usernames: [username] },
    { username },
    { to: username },
  ]
}

async function begin(world: World, by: Phone, other: Phone): Promise<Conversation> {
  const refusals: string[] = []
  for (const body of forms(other)) {
    try {
      const opened = await by.api.open(body)
      if (world.conversation === null) {
        world.report.note(
          `a conversation is begun with ${Object.keys(body)}, and not with ${refusals.join(', ')}`,
        )
      }
      return opened
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      refusals.push(`${JSON.stringify(body)} (${error.status} ${error.code})`)
      // It is not the form that is wrong: another one would not be taken either.
      if (![400, 422].includes(error.status)) break
    }
  }
  throw new Error(`expected a form that begins a conversation, got ${refusals.join('; ')}`)
}

export async function conversation(world: World): Promise<void> {
  const { report, alice, bob } = world
  await report.step('a conversation is opened', async () => {
    const { id } = await begin(world, alice, bob)
    world.conversation = id
    for (const message of await pageBack(alice.api, id, 200)) world.before.add(message.id)
  })
  await report.step('opening it again gives the same one, from either side', async () => {
    same((await begin(world, alice, bob)).id, world.conversation, 'the conversation')
    same((await begin(world, bob, alice)).id, world.conversation, 'the conversation')
  })
  await report.step('both have it in their list', async () => {
    for (const phone of [alice, bob]) {
      const list = await phone.api.conversations()
      check(
        list.filter(({ id }) => id === world.conversation).length === 1,
        `${phone.account.username} to have it once`,
        list,
      )
    }
  })
}
