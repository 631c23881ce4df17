import { startApi } from '../stack/api-process.ts'
import { givenGroups } from '../stack/chat-people.ts'
import { type ProcessorReading, perUnit, readProcessors } from '../stack/processor-reading.ts'
import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const GROUPS = 20
const GROUP = 50
const TALKERS = 10

/** Row k: people who talk in groups. Without a worker: who is pushed what is decided elsewhere, and later. */
export const groupMessages: Row = async (stack, { quick }, run) => {
  const people = await givenGroups(stack, { prefix: `k${run}-`, groups: GROUPS, size: GROUP })
  // One of them says more in a minute than a person may.
  const env = { ...stack.env, RATE_LIMITS: 'off' }
  await using api = await startApi({ env, log: stack.logOf(`api-groups-${run}`) })
  const readings: ProcessorReading[] = []
  const seen = await runLoad(
    'groupMessages',
    {
      ...{ port: api.port, people, size: GROUP, talkers: TALKERS },
      warmUpMs: quick ? 1_000 : 3_000,
      measureMs: quick ? 4_000 : 12_000,
    },
    async () => void readings.push(await readProcessors({ ...stack, api })),
  )
  const [before, after] = readings
  if (!before || !after) throw new Error('the generator did not say when to read')
  const share = perUnit(before, after, seen.lastMs.count)
  return {
    measurements: [
      {
        id: 'group-messages-per-second',
        label: `messages into groups of ${GROUP}, ${GROUPS * TALKERS} people talk`,
        unit: '/s',
        value: seen.perSecond,
      },
      {
        id: 'group-messages-p50',
        label: 'sent -> at the last socket, p50',
        unit: 'ms',
        value: seen.lastMs.p50,
      },
      { id: 'group-messages-p99', label: 'the same, p99', unit: 'ms', value: seen.lastMs.p99 },
      {
        id: 'group-message-api',
        label: 'processor time of the API per message',
        unit: 'ms',
        value: share.api,
      },
      { id: 'group-message-postgres', label: 'the same of PostgreSQL', unit: 'ms', value: share.postgres },
      { id: 'group-message-redis', label: 'the same of Redis', unit: 'ms', value: share.redis },
    ],
    details: { seen, share },
  }
}
