import type { Context } from '../src/context.ts'
import type { CallLanePush } from '../src/push/push.ts'
import { openPush } from '../src/push/sealed-push.ts'
import { type Processor, RetryLater } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'deliverCall' | 'keyring'>

/** Sends one push of the calls lane. */
export const deliverCallJob = ({ deliverCall, keyring }: Deps): Processor<'deliver-call'> => ({
  async run({ sealed, replyTo }, attempt, jobId) {
    const push = openPush(keyring, sealed, jobId) as CallLanePush
    const verdict = await deliverCall(push, replyTo, attempt)
    if (!verdict.done) {
      const delayMs = Math.max(attempt.pauseMs, verdict.retryAfterMs ?? 0)
      throw new RetryLater(verdict.reason, { delayMs })
    }
  },
  /** Its workers kept dying in the middle of it. A run as a try that was begun already closes it without sending. */
  async abandoned({ sealed, replyTo }, _reason, jobId) {
    await deliverCall.abandon(openPush(keyring, sealed, jobId) as CallLanePush, replyTo)
  },
})
