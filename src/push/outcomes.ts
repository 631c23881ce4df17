import { toError } from '../lib/error.ts'
import { MINUTE } from '../lib/units.ts'
import type { Signals, Subscription } from '../signals/signals.ts'
import type { PushResult } from './push-result.ts'

/** A PBX may ask for the result of a call push long after the ring; the row has it for good. */
const KEEP_MS = 10 * MINUTE
/** Safety net for a lost message. A push is answered in milliseconds, so half a second of silence is suspicious. */
const POLL_MS = 500

/** Where the result of a push is kept for a while. */
export const outcomeKey = (pushId: string): string => `push.${pushId}`

/** Carries the result of a push from the worker to whoever waits for it, in whatever process. */
export interface Outcomes {
  /** Name this process as the receiver of results. */
  readonly replyTo: string
  /** The first result of a push is the one that counts; a later one is dropped. */
  report(result: PushResult, replyTo: string): Promise<void>
  /** Keeps the result for whoever takes the push up again; nobody waits for it. */
  note(result: PushResult): Promise<void>
  /** Waits for the result, at most `ms`; cancelled or too late, it is undefined. Begin before enqueueing. */
  wait(pushId: string, ms: number): { result: Promise<PushResult | undefined>; cancel(): void }
  /** Results that are there already. */
  find(pushIds: readonly string[]): Promise<PushResult[]>
  /** Looks at once for the result of a push that somebody here waits for. */
  refresh(pushId: string): Promise<void>
  waiting(): number
  close(): void
}

interface Waiter {
  since: number
  settle: (result?: PushResult) => void
}

export function createOutcomes(signals: Signals, nodeId: string, onError: (error: Error) => void): Outcomes {
  const replyTo = `node.${nodeId}`
  const waiters = new Map<string, Set<Waiter>>()
  const tell = (result: PushResult) => {
    for (const { settle } of waiters.get(result.id) ?? []) settle(result)
  }

  const subscription: Subscription = signals.subscribe(replyTo, (_key, value) => {
    if (value !== undefined) tell(JSON.parse(value) as PushResult)
  })
  subscription.ready.catch(onError)

  const find = async (pushIds: readonly string[]): Promise<PushResult[]> => {
    const values = await signals.get(pushIds.map(outcomeKey))
    return values.filter((value) => value !== undefined).map((value) => JSON.parse(value) as PushResult)
  }
  const keep = async (result: PushResult, channel?: string): Promise<void> => {
    const signal = { key: outcomeKey(result.id), value: JSON.stringify(result), ttlMs: KEEP_MS }
    await signals.putFirst({ ...signal, ...(channel !== undefined && { channel }) })
  }
  const poll = setInterval(() => {
    const before = performance.now() - POLL_MS
    const silent = [...waiters]
      .filter(([, all]) => [...all].some(({ since }) => since < before))
      .map(([id]) => id)
    if (silent.length === 0) return
    find(silent).then(
      (results) => results.forEach(tell),
      (error: unknown) => onError(toError(error)),
    )
  }, POLL_MS)
  poll.unref()

  return {
    replyTo,
    report: (result, channel) => keep(result, channel),
    note: (result) => keep(result),
    find,
    async refresh(pushId) {
      for (const result of await find([pushId])) tell(result)
    },
    waiting: () => waiters.size,
    wait(pushId, ms) {
      const { promise, resolve } = Promise.withResolvers<PushResult | undefined>()
      const waiter: Waiter = {
        since: performance.now(),
        settle(result) {
          clearTimeout(timer)
          const others = waiters.get(pushId)
          others?.delete(waiter)
          if (others?.size === 0) waiters.delete(pushId)
          resolve(result)
        },
      }
      const timer = setTimeout(waiter.settle, ms)
      waiters.set(pushId, (waiters.get(pushId) ?? new Set()).add(waiter))
      return { result: promise, cancel: () => waiter.settle() }
    },
    close() {
      clearInterval(poll)
      subscription.close()
      for (const all of [...waiters.values()]) for (const { settle } of all) settle()
    },
  }
}
