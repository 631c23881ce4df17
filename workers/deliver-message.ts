import type { Context } from '../src/context.ts'
import { toError } from '../src/lib/error.ts'
import { UnknownPush } from '../src/push/deliver-message.ts'
import type { Provider } from '../src/push/push-kinds.ts'
import type { MESSAGE_JOB } from '../src/queue/jobs.ts'
import { type Processor, RetryLater } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'deliverMessage' | 'events'>

/** Sends one push of the messages lane by way of a provider. */
export const deliverMessageJob = <P extends Provider>(
  provider: P,
  { deliverMessage, events }: Deps,
): Processor<(typeof MESSAGE_JOB)[P]> => ({
  async run({ pushId }, attempt) {
    const verdict = await deliverMessage(pushId, provider, attempt).catch((error: unknown) => {
      if (error instanceof UnknownPush) throw error
      // The database is away: nothing was ended, so the push is looked at again.
      events.backgroundError('messages', toError(error))
      throw new RetryLater(toError(error).message)
    })
    if (verdict.done) return
    throw new RetryLater(verdict.reason, { delayMs: verdict.retryAfterMs, holdQueueMs: verdict.holdMs })
  },
  async abandoned({ pushId }) {
    await deliverMessage.abandon(pushId)
  },
})
