import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { Problem } from '../lib/problem.ts'
import type { CallSignals } from './call-signals.ts'
import { type CallOutcome, type CallState, type CallWake, outcomeOf } from './call-wake.ts'

/** Messages may get lost; a look this often bounds the damage. Not faster than 250 ms: a thousand holds must not load the store. */
const POLL_MS = 1_000
/** Before the push the store is asked once; with the store frozen the push must leave all the same. */
const FIRST_LOOK_MS = 300
/** The last look belongs to the hold: with a frozen store it ends this much late at most. */
const LAST_LOOK_MS = 60
/** Requests that may wait in one process at the same time. */
const MAX_WAITERS = 10_000

export interface HoldResult {
  outcome: CallOutcome | 'waking'
  state: CallState
}

export interface HoldOptions {
  /** Monotonic milliseconds at which the answer is due. */
  deadline: number
  /** Sends the pushes; called once, when waiting has begun and nothing has been decided yet. */
  push?: () => Promise<void>
  /** Aborts when nobody waits for the answer any more. */
  signal: AbortSignal
}

/**
 * Waits for a call's phones. Register the waiter, subscribe, read the state, push, wait: whatever happens after the first step
 * is seen, in whatever order. The stored state is the truth, messages only wake us up, a slow poll is the safety net, and one
 * monotonic deadline ends it whatever the stores do.
 */
export function createHold(deps: {
  calls: CallSignals
  clock: Clock
  stopping: AbortSignal
  onError: (error: Error) => void
}) {
  let waiters = 0
  return {
    waiting: (): number => waiters,
    async hold(call: CallWake, options: HoldOptions): Promise<HoldResult> {
      if (waiters >= MAX_WAITERS) throw new Problem('too_many_holds', { retryAfter: 1 })
      waiters += 1
      try {
        return await waitFor(deps, call, options)
      } finally {
        waiters -= 1
      }
    },
  }
}
export type Hold = ReturnType<typeof createHold>

async function waitFor(
  { calls, clock, stopping, onError }: Parameters<typeof createHold>[0],
  call: CallWake,
  { deadline, push, signal }: HoldOptions,
): Promise<HoldResult> {
  const view = createView(call)
  const left = () => Math.max(0, deadline - clock.monotonic())
  const look = (ms: number) =>
    within(ms, 'reading the call', calls.read(call)).then(view.learn, (error: unknown) =>
      onError(toError(error)),
    )

  const subscription = calls.follow(call, view.learn)
  const ended = [signal, stopping].map((abort) => onAbort(abort, view.finish))
  const due = setTimeout(view.finish, left())
  const poll = setInterval(() => void look(POLL_MS), POLL_MS)
  try {
    await within(Math.min(FIRST_LOOK_MS, left()), 'subscribing', subscription.ready).catch((error: unknown) =>
      onError(toError(error)),
    )
    await look(Math.min(FIRST_LOOK_MS, left()))
    // A phone may register before the last push has been handed over; a push that cannot be handed over ends the hold.
    const pushed = !view.outcome() && !signal.aborted ? push?.() : undefined
    await Promise.race([view.finished, Promise.resolve(pushed).then(() => view.finished)])
    pushed?.catch((error: unknown) => onError(toError(error)))
    if (!view.outcome() && !signal.aborted) await look(LAST_LOOK_MS)
  } finally {
    clearTimeout(due)
    clearInterval(poll)
    subscription.close()
    for (const stop of ended) stop()
  }
  const isOver = clock.now() >= call.expiresAt
  return { outcome: view.outcome() ?? (isOver || push ? 'timeout' : 'waking'), state: view.state() }
}

function onAbort(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) act()
  signal.addEventListener('abort', act, { once: true })
  return () => signal.removeEventListener('abort', act)
}

/** What this waiter knows so far; grows only. */
function createView(call: CallWake) {
  const results = new Map<string, CallState['results'][number]>()
  const registrations = new Map<string, CallState['registrations'][number]>()
  let event: CallState['event']
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>()

  const state = (): CallState => ({
    results: [...results.values()],
    registrations: [...registrations.values()],
    ...(event && { event }),
  })
  const outcome = () => outcomeOf(call, state())
  return {
    state,
    outcome,
    finished,
    finish: () => finish(),
    learn(news: Partial<CallState>): void {
      for (const result of news.results ?? []) results.set(result.id, result)
      // A phone that left again takes its earlier contact with it.
      for (const r of news.registrations ?? []) registrations.set(r.deviceId ?? r.contact ?? '', r)
      event ??= news.event
      if (outcome()) finish()
    },
  }
}
