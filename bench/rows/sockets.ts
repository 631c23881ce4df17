import { setTimeout as delay } from 'node:timers/promises'
import { startApi } from '../stack/api-process.ts'
import { givenGroups } from '../stack/chat-people.ts'
import { residentMemory } from '../stack/resident-memory.ts'
import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const SOCKETS = 10_000
const GROUP = 50
/** What connecting leaves behind has been cleared away by then. */
const SETTLED_MS = 3_000

/** Row j: many sockets in one process, and a message to everybody. */
export const sockets: Row = async (stack, { quick }, run) => {
  const count = quick ? SOCKETS / 10 : SOCKETS
  const people = await givenGroups(stack, { prefix: `j${run}-`, groups: count / GROUP, size: GROUP })
  await using api = await startApi({ env: stack.env, log: stack.logOf(`api-sockets-${run}`) })
  const memory: number[] = []
  const seen = await runLoad('openSockets', { port: api.port, people, size: GROUP }, async () => {
    await delay(SETTLED_MS)
    memory.push(await residentMemory(api.pid))
  })
  const [before = 0, after = 0] = memory
  return {
    measurements: [
      { id: 'sockets-memory', label: `API with ${count} sockets`, unit: 'MB', value: after / 1_048_576 },
      {
        id: 'sockets-memory-each',
        label: 'memory of each',
        unit: 'kB',
        value: (after - before) / count / 1_024,
      },
      { id: 'sockets-opened', label: 'sockets opened', unit: '/s', value: count / (seen.openedMs / 1_000) },
      {
        id: 'sockets-told',
        label: `one message to each of ${count / GROUP} groups of ${GROUP} at once, until all have it`,
        unit: 'ms',
        value: seen.toldMs.max,
      },
    ],
    details: { count, seen, memory },
  }
}
