import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { onAbort } from '../lib/on-abort.ts'
import { Problem } from '../lib/problem.ts'
import { SECOND } from '../lib/units.ts'
import type { Subscription } from '../signals/signals.ts'
import type { ChatNewsBus } from './chat-news.ts'
import type { ChatUserStore } from './chat-user-store.ts'

/** News may get lost; one look for all who wait, this often, bounds the damage. */
const POLL_MS = 2 * SECOND
/** A bus that does not answer costs no more than this: the looks go on. */
const SUBSCRIBE_MS = 500
/** Requests that may wait in one process at the same time, and those of one extension: each phone has one. */
const LIMITS = { all: 5_000, each: 20 }

export interface EventWaitsDeps {
  chatNews: Pick<ChatNewsBus, 'follow'>
  chatUsers: Pick<ChatUserStore, 'seqs'>
  /** Aborts when the process must stop waiting for anything. */
  stopping: AbortSignal
  onError: (error: Error) => void
}

/** Who waits for the first event after a number. */
interface Waiter {
  tenantId: string
  extensionId: number
  since: number
}

export interface EventWait {
  /** From here on no event is missed, so read again after it. */
  begin(): Promise<void>
  /** Resolves when there may be an event from now on, or when it is over: ask before reading, await after. */
  next(): Promise<void>
  /** The time is up, nobody waits any more, or the process stops. */
  isOver(): boolean
  close(): void
}

/** Requests that wait for an event. One subscription serves all of a tenant, and one look at the database all of a process. */
export function createEventWaits(deps: EventWaitsDeps, limits = LIMITS) {
  const waits = createWaitingList(deps)
  return {
    count: waits.count,
    /** @throws `too_many_waiting` */
    open(waiter: Waiter, ms: number, signal: AbortSignal): EventWait {
      const isFull = waits.count() >= limits.all || waits.countOf(waiter.extensionId) >= limits.each
      if (isFull) throw new Problem('too_many_waiting', { retryAfter: 1 })
      let changed = Promise.withResolvers<void>()
      let over = false
      const wake = () => {
        const before = changed
        changed = Promise.withResolvers()
        before.resolve()
      }
      const finish = () => {
        over = true
        wake()
      }
      const { ready, leave } = waits.add({ ...waiter, wake })
      const due = setTimeout(finish, ms)
      const ends = [signal, deps.stopping].map((abort) => onAbort(abort, finish))
      return {
        begin: () =>
          within(SUBSCRIBE_MS, 'subscribing to chat', ready).catch((error: unknown) =>
            deps.onError(toError(error)),
          ),
        next: () => (over ? Promise.resolve() : changed.promise),
        isOver: () => over,
        close() {
          clearTimeout(due)
          for (const stop of ends) stop()
          leave()
        },
      }
    },
  }
}
export type EventWaits = ReturnType<typeof createEventWaits>

type Waiting = Waiter & { wake(): void }

/** All who wait, by extension; the bus and the clock wake those for whom there is something. */
function createWaitingList({ chatNews, chatUsers, onError }: EventWaitsDeps) {
  const byExtension = new Map<number, Set<Waiting>>()
  const tenants = createTenantNews(chatNews, byExtension)
  let count = 0
  let poll: NodeJS.Timeout | undefined

  const look = async (): Promise<void> => {
    const seqs = await within(POLL_MS, 'reading event numbers', chatUsers.seqs([...byExtension.keys()]))
    for (const [extensionId, seq] of seqs) wakeThose(byExtension.get(extensionId), seq)
  }
  return {
    count: (): number => count,
    countOf: (extensionId: number): number => byExtension.get(extensionId)?.size ?? 0,

    add(waiting: Waiting) {
      const { tenantId, extensionId } = waiting
      count += 1
      poll ??= setInterval(() => look().catch((error: unknown) => onError(toError(error))), POLL_MS)
      const beside = byExtension.get(extensionId)
      if (beside) beside.add(waiting)
      else byExtension.set(extensionId, new Set([waiting]))
      const news = tenants.join(tenantId)
      return {
        ready: news.ready,
        leave() {
          const left = byExtension.get(extensionId)
          left?.delete(waiting)
          if (left?.size === 0) byExtension.delete(extensionId)
          news.leave()
          count -= 1
          if (count > 0) return
          clearInterval(poll)
          poll = undefined
        },
      }
    },
  }
}

/** One subscription per tenant, for as long as somebody of it waits. */
function createTenantNews(
  chatNews: EventWaitsDeps['chatNews'],
  byExtension: ReadonlyMap<number, ReadonlySet<Waiting>>,
) {
  const followed = new Map<string, { subscription: Subscription; users: number }>()
  const wakeAll = (tenantId: string) => {
    for (const waiting of [...byExtension.values()].flatMap((each) => [...each])) {
      if (waiting.tenantId === tenantId) waiting.wake()
    }
  }
  return {
    join(tenantId: string) {
      const known = followed.get(tenantId) ?? {
        users: 0,
        subscription: chatNews.follow(tenantId, (news) => {
          if (!news) wakeAll(tenantId)
          for (const [extensionId, seq] of news?.events ?? []) wakeThose(byExtension.get(extensionId), seq)
        }),
      }
      followed.set(tenantId, known)
      known.users += 1
      return {
        ready: known.subscription.ready,
        leave() {
          known.users -= 1
          if (known.users > 0) return
          followed.delete(tenantId)
          known.subscription.close()
        },
      }
    },
  }
}

function wakeThose(waiting: ReadonlySet<Waiting> | undefined, seq: number): void {
  for (const each of waiting ?? []) if (seq > each.since) each.wake()
}
