import type { Context } from '../src/context.ts'
import { DAY } from '../src/lib/units.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'userEvents' | 'chatOutbox' | 'chatPrune' | 'config' | 'clock'>

/** Whoever was away for longer begins anew; so it is promised to apps. */
export const KEEP_EVENTS_MS = 30 * DAY
const BATCH = 1_000
/** What is beyond waits for the next run: other housekeeping comes after this. */
const MAX_BATCHES = 50

/** Forgets what nobody has to be told any more, why phones were not told, and what was said where nobody is left. */
export const pruneChat = ({
  userEvents,
  chatOutbox,
  chatPrune,
  config,
  clock,
}: Deps): Processor<'prune-chat'> => ({
  async run() {
    const now = clock.now()
    const old = new Date(now - KEEP_EVENTS_MS)
    await inBatches(() => userEvents.prune(old, BATCH))
    await inBatches(() => chatOutbox.prune(new Date(now - config.pushLogDays * DAY), BATCH))
    await chatPrune.passOn()
    await inBatches(() => chatPrune.left(old, BATCH))
    await inBatches(() => chatPrune.ofNobody(BATCH))
  },
})

async function inBatches(batch: () => Promise<number>): Promise<void> {
  for (let done = 0; done < MAX_BATCHES; done += 1) {
    if ((await batch()) === 0) return
  }
}
