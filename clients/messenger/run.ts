import { parseArgs } from 'node:util'
import { type Account, Phone } from './phone.ts'
import { accounts } from './story/accounts.ts'
import { conversation } from './story/conversation.ts'
import { devices } from './story/devices.ts'
import { limits } from './story/limits.ts'
import { live } from './story/live.ts'
import { offline, offlineWithDevice } from './story/offline.ts'
import { paging } from './story/paging.ts'
import { reconnect } from './story/reconnect.ts'
import { repeats } from './story/repeats.ts'
import { Report } from './story/report.ts'
import { strangers } from './story/strangers.ts'
import type { World } from './story/world.ts'

const USAGE =
  'usage: run.ts --url URL --account NAME:PASSWORD --account NAME:PASSWORD [--stranger NAME:PASSWORD] [--most N]'

function accountFrom(text: string): Account {
  const colon = text.indexOf(':')
  if (colon < 1) throw new Error(USAGE)
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

function worldFrom(args: { url?: string; account?: string[]; stranger?: string }): World {
  const [first, second] = args.account ?? []
  if (args.url === undefined || first === undefined || second === undefined) throw new Error(USAGE)
  return {
    base: args.url,
    report: new Report(),
    alice: new Phone(args.url, accountFrom(first)),
    bob: new Phone(args.url, accountFrom(second)),
    stranger: args.stranger === undefined ? null : new Phone(args.url, accountFrom(args.stranger)),
    began: new Date().toISOString(),
    conversation: null,
    before: new Set(),
  }
}

async function play(world: World, most: number): Promise<void> {
  await accounts(world)
  await conversation(world)
  await live(world)
  await repeats(world)
  await paging(world, 'paging back in small pages loses nothing and repeats nothing', 2)
  await offline(world)
  await devices(world)
  await offlineWithDevice(world)
  await strangers(world)
  await limits(world, most)
  await paging(world, 'paging back over messages sent at once loses nothing', 7)
  await reconnect(world)
}

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    account: { type: 'string', multiple: true },
    stranger: { type: 'string' },
    /** How many messages may be sent in search of the limit. */
    most: { type: 'string', default: '500' },
  },
})
const world = worldFrom(values)
await play(world, Number(values.most))
for (const phone of [world.alice, world.bob, world.stranger]) await phone?.goOffline()
console.log(world.report.failures === 0 ? 'all is well' : `${world.report.failures} failed`)
// Exits by itself when all is closed: whatever kept it from doing so would be a fault of its own.
process.exitCode = world.report.failures === 0 ? 0 : 1
