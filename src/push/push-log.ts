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
export const MAX_KEPT = 50_000
const RETRY_MS = SECOND

/** The rows of pushes, written in batches: a commit per push would be the largest cost of it. */
export interface PushLog {
  /** Resolves when the row is committed. */
  opened(push: Push): Promise<void>
  /** Opens the row in a moment, unless `answered` comes first: then whoever closes the push writes it whole. */
  openLate(push: Push): void
  answered(pushId: string): void
  /** Resolves when the end is committed; keeps trying while the database is away. */
  closed(push: Push, result: PushResult): Promise<void>
  /** Ends still to be written. */
  pending(): number
  /** Writes what is left, for at most `ms`. */
  drain(ms: number): Promise<void>
}

/** A push is answered in a few milliseconds, mostly; one that is not must be in the log while it waits. */
const LATE_MS = 100

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
  const later = createLater((push: Push) =>
    opens.add(push).catch((error: unknown) => onError(toError(error))),
  )
  const closes = createBatcher(closeAll, { size: BATCH, parallel: 1, waitMs: GATHER_MS })

  return {
    opened: (push) => opens.add(push),
    openLate: (push) => later.add(push.id, push),
    answered: (pushId) => later.remove(pushId),
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
      await Promise.race([later.flush(), new Promise((resolve) => setTimeout(resolve, ms).unref())])
      const until = performance.now() + ms
      while (kept > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10))
      stopped = true
    },
  }
}

/** Does something with each item LATE_MS after it was added, unless it was removed before. One timer for all of them. */
function createLater<Item>(act: (item: Item) => Promise<unknown>) {
  const waiting = new Map<string, { item: Item; due: number }>()
  let timer: NodeJS.Timeout | undefined
  const run = () => {
    timer = undefined
    const now = performance.now()
    for (const [id, { item, due }] of waiting) {
      // Oldest first: the others are not due either.
      if (due > now) break
      waiting.delete(id)
      void act(item)
    }
    schedule()
  }
  const schedule = () => {
    if (timer || waiting.size === 0) return
    timer = setTimeout(run, LATE_MS / 2).unref()
  }
  return {
    add(id: string, item: Item): void {
      waiting.set(id, { item, due: performance.now() + LATE_MS })
      schedule()
    },
    remove: (id: string): void => void waiting.delete(id),
    async flush(): Promise<void> {
      const all = [...waiting.values()]
      waiting.clear()
      clearTimeout(timer)
      await Promise.all(all.map(({ item }) => act(item)))
    },
  }
}
