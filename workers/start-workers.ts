import type { Context } from '../src/context.ts'
import { toError } from '../src/lib/error.ts'
import { type Loop, startLoop } from '../src/lib/loop.ts'
import type { Lane } from '../src/push/push-kinds.ts'
import { runWorkers, type Workers } from '../src/queue/run-workers.ts'
import { startWebhookDelivery } from './deliver-webhooks.ts'
import { maintainPushLogs } from './maintain-push-logs.ts'
import { createProcessors } from './processors.ts'
import { startChatRelay } from './relay-chat.ts'
import { createMessageSweep, SWEEP_EVERY_MS } from './sweep-messages.ts'

/** Works on the queues of the lanes, until closed. */
export function startWorkers(context: Context, lanes: readonly Lane[]): Workers {
  const workers = runWorkers(createProcessors(context), context.queueBackend, {
    lanes,
    concurrency: context.config.queue.concurrency,
    onError: (error) => context.events.backgroundError('worker', error),
  })
  const loops = lanes.includes('messages') ? startLoops(context) : []
  // A phone must ring soon, also by the first call after a start.
  if (lanes.includes('calls')) for (const provider of Object.values(context.providers)) void provider.warmUp()
  return {
    async close(ms) {
      await Promise.all([workers, ...loops].map((running) => running.close(ms)))
    },
  }
}

/** What must go on when the queue has forgotten everything. */
function startLoops(context: Context): Loop[] {
  const onError = (part: string) => (error: unknown) => context.events.backgroundError(part, toError(error))
  // Its job comes once an hour: a worker that starts must not find the log without days.
  maintainPushLogs(context).catch(onError('push-log-days'))
  return [
    startLoop(createMessageSweep(context), { everyMs: SWEEP_EVERY_MS, onError: onError('sweep') }),
    startWebhookDelivery(context),
    startChatRelay(context),
  ]
}
