import type { Context } from '../src/context.ts'
import { toError } from '../src/lib/error.ts'
import { MINUTE, SECOND } from '../src/lib/units.ts'
import type { PendingPush } from '../src/push/pending-push-store.ts'
import { MESSAGE_JOB, messageJobId } from '../src/queue/jobs.ts'

type Deps = Pick<
  Context,
  'pendingPushes' | 'deliverMessage' | 'queues' | 'enqueueMessages' | 'clock' | 'events'
>

/** How long a push may be without a job, at most: with the first check of its row, 7 s. */
export const SWEEP_EVERY_MS = 2 * SECOND
const BATCH = 500
/** Questions to the queue in one go: calls want something of it in between. */
const AT_ONCE = 50
const SCHEDULE_EVERY_MS = MINUTE

/**
 * Repairs what lies between the database and the queue: a push that was committed and has no job gets one, one whose time has
 * come is ended. Any number of nodes may do it at the same time. Not a job itself, because a queue that was wiped has no jobs.
 */
export function createMessageSweep(deps: Deps) {
  const { pendingPushes, deliverMessage, queues, clock, events } = deps
  let scheduledAt = Number.NEGATIVE_INFINITY

  /** With the queue away there are no chores, but pushes expire all the same. */
  const schedule = async (): Promise<void> => {
    try {
      await queues.schedule()
      scheduledAt = clock.monotonic()
    } catch (error) {
      events.backgroundError('queue', toError(error))
    }
  }

  /** True when there is more to do at once. */
  return async function sweep(): Promise<boolean> {
    if (clock.monotonic() - scheduledAt >= SCHEDULE_EVERY_MS) await schedule()
    const rows = await pendingPushes.due(BATCH)
    const now = clock.now()
    await deliverMessage.expire(rows.filter(({ expiresAt }) => expiresAt <= now))
    const alive = rows.filter(({ expiresAt }) => expiresAt > now)
    const revived: PendingPush[] = []
    for (let from = 0; from < alive.length; from += AT_ONCE) {
      const some = alive.slice(from, from + AT_ONCE)
      const missing = await Promise.all(some.map((row) => withoutJob(deps, row)))
      revived.push(...missing.filter((row) => row !== undefined))
    }
    for (const [provider, own] of Map.groupBy(revived, (row) => row.provider)) {
      await deps.enqueueMessages(provider, own)
    }
    if (revived.length > 0) events.pushesRequeued(revived.length)
    // A full batch without jobs is what a wiped queue looks like.
    return rows.length === BATCH && revived.length > 0
  }
}

/** The push, with the generation that its next job has, if it needs one. */
async function withoutJob(
  { pendingPushes, queues }: Deps,
  row: PendingPush,
): Promise<PendingPush | undefined> {
  const { id, generation, provider } = row
  const fate = await queues.fateOf(MESSAGE_JOB[provider], messageJobId(row))
  if (fate === 'due') return undefined
  if (fate === 'unknown') return row
  // Tried as often as a job is, and still open. The queue would not take the same id again.
  return (await pendingPushes.renew(id, generation)) ? { ...row, generation: generation + 1 } : undefined
}
