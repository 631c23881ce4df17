import { processorTime, processorTimeOfTree } from './processor-time.ts'
import type { Stack } from './start-stack.ts'

/** Milliseconds of processor time, by part. */
export type ProcessorReading = Record<'api' | 'worker' | 'redis' | 'postgres' | 'simulator', number>

export async function readProcessors(stack: Stack): Promise<ProcessorReading> {
  const [api, worker, redis, postgres, simulator] = await Promise.all([
    processorTime(stack.api.pid),
    processorTime(stack.worker.pid),
    processorTime(stack.redis.pid),
    processorTimeOfTree(stack.postgres.pid),
    processorTime(stack.recorder.pid),
  ])
  return { api, worker, redis, postgres, simulator }
}

/** What was used between two readings, divided by `by`. */
export const perUnit = (before: ProcessorReading, after: ProcessorReading, by: number): ProcessorReading => ({
  api: (after.api - before.api) / by,
  worker: (after.worker - before.worker) / by,
  redis: (after.redis - before.redis) / by,
  postgres: (after.postgres - before.postgres) / by,
  simulator: (after.simulator - before.simulator) / by,
})
