import type { Context } from '../src/context.ts'
import type { Push } from '../src/push/push.ts'
import { pushContext } from '../src/push/submit.ts'
import type { CallJob } from '../src/queue/jobs.ts'
import { type Processor, RetryLater } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'deliver' | 'keyring' | 'outcomes' | 'clock'>

/** Sends one call push. */
export const deliverCall = ({ deliver, keyring }: Deps): Processor<'deliver-call'> => ({
  async run(job, attempt, jobId) {
    const push = openPush(job, keyring, jobId)
    const verdict = await deliver(push, job.replyTo, attempt)
    if (!verdict.done) throw new RetryLater(verdict.reason, verdict.retryAfterMs)
  },
  /** Its workers kept dying in the middle of it. A run as a try that was begun already closes it without sending. */
  async abandoned(job, _reason, jobId) {
    await deliver.abandon(openPush(job, keyring, jobId), job.replyTo)
  },
})

/** Throws for a job that nobody of ours wrote: altered, of another shape, or sealed with another secret. */
function openPush(job: CallJob, keyring: Context['keyring'], jobId: string): Push {
  if (job.v !== 1) throw new Error(`job ${jobId} has shape ${String(job.v)}, this worker knows 1`)
  return JSON.parse(keyring.open(job.sealed, pushContext(jobId))) as Push
}
