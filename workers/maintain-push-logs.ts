import type { Context } from '../src/context.ts'
import { toError } from '../src/lib/error.ts'
import { DAY, HOUR } from '../src/lib/units.ts'
import { DAYS_AHEAD } from '../src/push/push-log-days.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<
  Context,
  'pushLogPartitions' | 'idempotencyKeys' | 'counters' | 'clock' | 'config' | 'logger'
>

/** A day, as callers are promised, and an hour for clocks that disagree. */
const KEY_MS = DAY + HOUR

/** Makes the next days of the push log, drops those that are too old, and forgets old idempotency keys and counts. */
export async function maintainPushLogs(deps: Deps): Promise<void> {
  const { pushLogPartitions, idempotencyKeys, counters, clock, config, logger } = deps
  const now = clock.now()
  const errors: Error[] = []
  const attempt = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => void errors.push(toError(error)))

  const made = await attempt(pushLogPartitions.ensure(now - DAY, DAYS_AHEAD + 2))
  const dropped = await attempt(pushLogPartitions.dropBefore(now - config.pushLogDays * DAY))
  await attempt(idempotencyKeys.deleteBefore(now - KEY_MS))
  await attempt(counters.sweep())

  if (made?.length || dropped?.length) logger.info({ made, dropped }, 'maintained the days of the push log')
  // A long read keeps us from one of them, and not from the others; the next run makes up for it.
  if (errors[0]) throw errors[0]
}

export const maintainPushLogsJob = (deps: Deps): Processor<'maintain-push-logs'> => ({
  run: () => maintainPushLogs(deps),
})
