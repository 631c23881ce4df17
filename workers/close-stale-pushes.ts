import type { Context } from '../src/context.ts'
import { SECOND } from '../src/lib/units.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'pushLogStore' | 'outcomes' | 'signals' | 'clock' | 'logger'>

/** After the deadline a worker may still be writing the row; then nobody will. */
const GRACE_MS = 10 * SECOND
const BATCH = 500

/** Closes rows whose worker died before it could, and removes signals nobody needs. */
export const closeStalePushes = (deps: Deps): Processor<'close-stale-pushes'> => ({
  async run() {
    const { pushLogStore, outcomes, signals, clock, logger } = deps
    const ids = await pushLogStore.stale(clock.now() - GRACE_MS, BATCH)
    if (ids.length > 0) {
      const closed = await pushLogStore.closeStale(ids, await outcomes.find(ids), clock.now())
      logger.warn({ closed }, 'closed pushes whose worker did not')
    }
    await signals.sweep()
  },
})
