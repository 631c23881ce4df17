import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { onAbort } from '../lib/on-abort.ts'
import { Problem } from '../lib/problem.ts'
import type { CallSignals } from './call-signals.ts'
import { type CallOutcome, type CallState, type CallWake, outcomeOf } from './call-wake.ts'

/** Messages may get lost; a look this often bounds the damage. Not faster than 250 ms: a thousand holds must not load the store. */
const POLL_MS = 1_000
/** Before the push the store is asked once; with the store frozen the push must leave all the same. */
const FIRST_LOOK_MS = 300
/** Requests that may wait in one process at the same time. */
const MAX_WATCHES = 10_000

export interface WatchDeps {
  calls: CallSignals
  clock: Clock
  /** Aborts when the process must stop waiting for anything. */
  stopping: AbortSignal
  onError: (error: Error) => void
}

/** What is known of a call, from now until closed. */
export interface CallWatch {
  state(): CallState
  outcome(): Exclude<CallOutcome, 'timeout'> | undefined
  /** The deadline has come, nobody waits any more, or the process stops. */
  isOver(): boolean
  /** Subscribes and looks once: from here on nothing that happens is missed. */
  begin(): Promise<void>
  /** Asks the store, for at most `ms`. */
  look(ms: number): Promise<void>
  /** Resolves when something has been learned since the call, or when it is over. */
  next(): Promise<void>
  close(): void
}

/** Watches calls for the requests that wait for them; the stored state is the truth, messages only wake us up. */
export function createCallWatches(deps: WatchDeps, limit = MAX_WATCHES) {
  let open = 0
  return {
    count: (): number => open,
    /** @param deadline monotonic milliseconds */
    open(call: CallWake, deadline: number, signal: AbortSignal): CallWatch {
      if (open >= limit) throw new Problem('too_many_holds', { retryAfter: 1 })
      open += 1
      const onClose = () => {
        open -= 1
      }
      return startWatch(deps, call, { deadline, signal, onClose })
    },
  }
}
export type CallWatches = ReturnType<typeof createCallWatches>

function startWatch(
  { calls, clock, stopping, onError }: WatchDeps,
  call: CallWake,
  { deadline, signal, onClose }: { deadline: number; signal: AbortSignal; onClose: () => void },
): CallWatch {
  const view = createView()
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
  const learn = (news: Partial<CallState>) => {
    view.learn(news)
    wake()
  }
  const left = () => Math.max(0, deadline - clock.monotonic())
  const look = (ms: number) =>
    within(ms, 'reading the call', calls.read(call)).then(learn, (error: unknown) => onError(toError(error)))

  const subscription = calls.follow(call, learn)
  const ends = [signal, stopping].map((abort) => onAbort(abort, finish))
  const due = setTimeout(finish, left())
  const poll = setInterval(() => void look(POLL_MS), POLL_MS)

  return {
    state: view.state,
    outcome: () => outcomeOf(call, view.state()),
    isOver: () => over,
    look,
    next: () => (over ? Promise.resolve() : changed.promise),
    async begin() {
      const subscribed = within(Math.min(FIRST_LOOK_MS, left()), 'subscribing', subscription.ready)
      await subscribed.catch((error: unknown) => onError(toError(error)))
      await look(Math.min(FIRST_LOOK_MS, left()))
    },
    close() {
      clearTimeout(due)
      clearInterval(poll)
      subscription.close()
      for (const stop of ends) stop()
      onClose()
    },
  }
}

/** Puts together what was read and what was told; grows only. */
function createView() {
  const results = new Map<string, CallState['results'][number]>()
  const registrations = new Map<string, CallState['registrations'][number]>()
  let event: CallState['event']
  return {
    state: (): CallState => ({
      results: [...results.values()],
      registrations: [...registrations.values()],
      ...(event && { event }),
    }),
    learn(news: Partial<CallState>): void {
      for (const result of news.results ?? []) results.set(result.id, result)
      // A phone that left again takes its earlier contact with it.
      for (const r of news.registrations ?? []) registrations.set(r.deviceId ?? r.contact ?? '', r)
      event ??= news.event
    },
  }
}
