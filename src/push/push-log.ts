import { createBatcher } from '../lib/batcher.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { Push } from './push.ts'
import type { PushLogStore } from './push-log-store.ts'
import type { PushAttempt, PushResult } from './push-result.ts'

/** Rows of one statement: about 250 kB of JSON. */
const BATCH = 500
/** How long a row waits for company; the caller has had its answer by then. */
const GATHER_MS = 5
/** With PostgreSQL away, ends and tries of pushes are kept in memory up to this many (about 1 kB each) and written later. */
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
  /** Writes a try that was not accepted, as persistently as an end; what cannot be written is told as an error. */
  tried(push: Push, attempt: PushAttempt): void
  /** Ends and tries still to be written. */
  pending(): number
  /** Writes what is left, for at most `ms`. */
  drain(ms: number): Promise<void>
}

/** A push is answered in a few milliseconds, mostly; one that is not must be in the log while it waits. */
const LATE_MS = 100

export function createPushLog(store: PushLogStore, onError: (error: Error) => void): PushLog {
  const batch = { size: BATCH, parallel: 1, waitMs: GATHER_MS }
  const opens = createBatcher(async (pushes: Push[]) => {
    await store.open(pushes)
    return pushes.map(() => undefined)
  }, batch)
  const later = createLater((push: Push) =>
    opens.add(push).catch((error: unknown) => onError(toError(error))),
  )
  let stopped = false
  const persistent = { isStopped: () => stopped, onError }
  const closes = createBatcher(persistently(store.close, persistent), batch)
  const tries = createBatcher(persistently(store.addAttempts, persistent), batch)

  let kept = 0
  const keep = async (what: string, push: Push, write: () => Promise<Error | undefined>): Promise<void> => {
    if (kept >= MAX_KEPT) {
      throw new Error(`push log is ${MAX_KEPT} rows behind; ${what} of push ${push.id} is not recorded`)
    }
    kept += 1
    try {
      const refused = await write()
      if (refused) throw refused
    } finally {
      kept -= 1
    }
  }

  return {
    opened: (push) => opens.add(push),
    openLate: (push) => later.add(push.id, push),
    answered: (pushId) => later.remove(pushId),
    closed: (push, result) => keep('the end', push, () => closes.add({ push, result })),
    tried: (push, attempt) =>
      void keep('a try', push, () => tries.add({ push, attempt })).catch((error: unknown) =>
        onError(toError(error)),
      ),
    pending: () => kept,
    async drain(ms) {
      await Promise.race([later.flush(), new Promise((resolve) => setTimeout(resolve, ms).unref())])
      const until = performance.now() + ms
      while (kept > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10))
      stopped = true
    },
  }
}

/**
 * Writes a batch, over and over while the database is away. Rows that the database does not take for what they are must not keep
 * the others out for ever: they are found by halving the batch, and given back as errors.
 */
function persistently<Item>(
  write: (items: readonly Item[]) => Promise<void>,
  { isStopped, onError }: { isStopped: () => boolean; onError: (error: Error) => void },
) {
  return async function persist(items: readonly Item[]): Promise<(Error | undefined)[]> {
    for (;;) {
      try {
        await write(items)
        return items.map(() => undefined)
      } catch (thrown) {
        const error = toError(thrown)
        if (isFaultOfRow(error)) {
          if (items.length === 1) return [error]
          const middle = items.length >> 1
          return [...(await persist(items.slice(0, middle))), ...(await persist(items.slice(middle)))]
        }
        onError(error)
        if (isStopped()) throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
      }
    }
  }
}

/** SQLSTATE classes 22 (data exception) and 23 (integrity violation): https://www.postgresql.org/docs/current/errcodes-appendix.html */
const isFaultOfRow = (error: Error & { code?: unknown }) =>
  typeof error.code === 'string' && /^2[23]...$/.test(error.code)

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
