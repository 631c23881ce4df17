import { createBatcher } from '../lib/batcher.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { Push } from './push.ts'
import type { PushLogStore } from './push-log-store.ts'
import type { PushResult } from './push-result.ts'

/** Rows of one statement: about 250 kB of JSON. */
const BATCH = 500
/** How long a row waits for company; the caller has had its answer by then. */
const GATHER_MS = 5
/** With PostgreSQL away, ends of pushes are kept in memory up to this many (about 1 kB each) and tried again. */
const MAX_KEPT = 50_000
const RETRY_MS = SECOND

/** The rows of pushes, written in batches: a commit per push would be the largest cost of it. */
export interface PushLog {
  /** Resolves when the row is committed. */
  opened(push: Push): Promise<void>
  /** Resolves when the end is committed; keeps trying while the database is away. */
  closed(push: Push, result: PushResult): Promise<void>
  /** Ends still to be written. */
  pending(): number
  /** Writes what is left, for at most `ms`. */
  drain(ms: number): Promise<void>
}

export function createPushLog(store: PushLogStore, onError: (error: Error) => void): PushLog {
  let stopped = false
  let kept = 0

  const closeAll = async (ended: { push: Push; result: PushResult }[]): Promise<undefined[]> => {
    for (;;) {
      try {
        await store.close(ended)
        return ended.map(() => undefined)
      } catch (error) {
        onError(toError(error))
        if (stopped) throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
      }
    }
  }
  const opens = createBatcher(
    async (pushes: Push[]) => {
      await store.open(pushes)
      return pushes.map(() => undefined)
    },
    { size: BATCH, parallel: 1, waitMs: GATHER_MS },
  )
  const closes = createBatcher(closeAll, { size: BATCH, parallel: 1, waitMs: GATHER_MS })

  return {
    opened: (push) => opens.add(push),
    async closed(push, result) {
      if (kept >= MAX_KEPT) {
        throw new Error(`push log is ${MAX_KEPT} rows behind; the end of push ${push.id} is not recorded`)
      }
      kept += 1
      try {
        await closes.add({ push, result })
      } finally {
        kept -= 1
      }
    },
    pending: () => kept,
    async drain(ms) {
      const until = performance.now() + ms
      while (kept > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10))
      stopped = true
    },
  }
}
