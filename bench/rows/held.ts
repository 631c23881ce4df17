import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../tests/support/conditions.ts'
import { type ProcessorReading, perUnit, readProcessors } from '../stack/processor-reading.ts'
import { residentMemory } from '../stack/resident-memory.ts'
import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const IDLE_MS = 4_000
const MB = 1_048_576

/** Row d: many calls held at once. */
export const held: Row = async (stack, { holds }, run) => {
  const { port, tenant, recorder, api } = stack
  const phones = { port, pbxKey: tenant.pbxKey, prefix: 'd' }
  if (run === 1) {
    await runLoad('phones', { ...phones, count: holds })
    await warmUp(phones)
  }
  // A registration counts for calls of the next second, too, and those of the last run are fresh.
  await delay(1_500)
  const memory: number[] = []
  const readings: ProcessorReading[] = []
  await recorder.reset()

  const onMark: Record<string, () => Promise<void>> = {
    before: async () => void memory.push(await residentMemory(api.pid)),
    started: () => allPushed(recorder, holds),
    idle: async () => {
      memory.push(await residentMemory(api.pid))
      readings.push(await readProcessors(stack))
    },
    idled: async () => void readings.push(await readProcessors(stack)),
  }
  const seen = await runLoad(
    'heldCalls',
    { ...phones, tag: `d${run}`, holds, idleMs: IDLE_MS, reporters: 20 },
    (mark) => onMark[mark]?.() ?? Promise.resolve(),
  )
  const [before, after] = readings
  if (!before || !after) throw new Error('the generator did not say when to read')
  const share = perUnit(before, after, IDLE_MS / 100)
  const [empty = 0, full = 0] = memory

  return {
    measurements: [
      { id: 'held-memory', label: `API with ${holds} held calls`, unit: 'MB', value: full / MB },
      { id: 'held-memory-each', label: 'memory of each', unit: 'kB', value: (full - empty) / holds / 1_024 },
      { id: 'held-idle-api', label: 'API while they wait, of a core', unit: '%', value: share.api },
      { id: 'held-idle-redis', label: 'Redis while they wait, of a core', unit: '%', value: share.redis },
      {
        id: 'held-release-p50',
        label: 'registration -> release, 20 reporters, p50',
        unit: 'ms',
        value: seen.releaseMs.p50,
      },
      { id: 'held-release-p99', label: 'the same, p99', unit: 'ms', value: seen.releaseMs.p99 },
      { id: 'held-failed', label: 'holds that did not end as registered', unit: '', value: seen.failed },
    ],
    details: { holds, seen, memory, share },
  }
}

/** A process that has just started compiles while the first calls wait; here it has had some. */
async function warmUp(phones: { port: number; pbxKey: string; prefix: string }): Promise<void> {
  await runLoad('releasedHolds', {
    ...phones,
    tag: 'warm',
    extensions: 500,
    oneByOne: 0,
    rounds: 10,
    atOnce: 50,
  })
}

/** Gives up quietly: pushes that never left show in the row's last line. */
async function allPushed(
  recorder: { report(): Promise<{ accepted: number }> },
  holds: number,
): Promise<void> {
  const isDone = async () => (await recorder.report()).accepted >= holds
  await until(isDone, { timeoutMs: 10_000, description: 'all pushes are out' }).catch(() => undefined)
}
