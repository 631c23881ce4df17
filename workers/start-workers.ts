import type { Context } from '../src/context.ts'
import type { Lane } from '../src/push/push.ts'
import { HOUSEKEEPING_EVERY_MS } from '../src/queue/jobs.ts'
import { runWorkers, type Workers } from '../src/queue/run-workers.ts'
import { createProcessors } from './processors.ts'

/** Works on the queues of the lanes, until closed. */
export async function startWorkers(context: Context, lanes: readonly Lane[]): Promise<Workers> {
  if (lanes.includes('messages')) {
    await context.queues.repeat('close-stale-pushes', {}, HOUSEKEEPING_EVERY_MS)
  }
  return runWorkers(createProcessors(context), context.queueBackend, {
    lanes,
    concurrency: context.config.queue.concurrency,
    onError: (error) => context.events.backgroundError('worker', error),
  })
}
