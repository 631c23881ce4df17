import type { Clock } from '../lib/clock.ts'
import type { Counters } from './counters.ts'

export interface Grant {
  /** How many of those asked for. */
  granted: number
  limit: number
  /** As far as this node knows. */
  used: number
  /** Milliseconds to the end of the window. */
  resetMs: number
}

/** What this node knows of a number that all nodes count together. Times are monotonic. */
export interface SharedCount {
  key: string
  windowSeconds: number
  /** As the store said last, and what it is being told. */
  total: number
  /** When it said so; minus infinity: it did not yet, in this window. */
  heardAt: number
  endsAt: number
  /** Let go at once, or given back, and not yet told to the store. */
  uncounted: number
  /** What this node has granted in this window: no store can know better that it was at least that. */
  own: number
  waiting: { count: number; limit: number; resolve(grant: Grant): void }[]
  isAsking: boolean
  isScheduled: boolean
}

export interface SharedCountDeps {
  counters: Counters
  clock: Pick<Clock, 'monotonic'>
}

/** How long those that were let go at once may wait to be counted: not each of them is worth a question. */
const COUNT_EVERY_MS = 100

/** What a window begins with. */
export const BLANK = {
  windowSeconds: 0,
  total: 0,
  heardAt: Number.NEGATIVE_INFINITY,
  endsAt: 0,
  uncounted: 0,
  own: 0,
}

export const newCount = (key: string): SharedCount => ({
  key,
  ...BLANK,
  waiting: [],
  isAsking: false,
  isScheduled: false,
})

/** Uses as many as are left, without asking anybody. */
export function grantNow(
  { clock }: SharedCountDeps,
  state: SharedCount,
  count: number,
  limit: number,
): Grant {
  const granted = Math.max(0, Math.min(count, limit - state.total - state.uncounted))
  state.uncounted += granted
  state.own += granted
  return tell(state, granted, limit, clock)
}

export const tell = (
  { total, uncounted, endsAt }: SharedCount,
  granted: number,
  limit: number,
  clock: Pick<Clock, 'monotonic'>,
): Grant => ({
  granted,
  limit,
  used: Math.min(limit, Math.max(0, total + uncounted)),
  resetMs: Math.max(0, endsAt - clock.monotonic()),
})

/** One question to the store: all that is uncounted, and all that waits. Never rejects. */
export async function askStore(deps: SharedCountDeps, state: SharedCount): Promise<void> {
  const { counters, clock } = deps
  const { waiting, key, windowSeconds } = state
  const uncounted = owed(deps, state)
  const asked = waiting.reduce((sum, { count }) => sum + count, 0)
  state.total += uncounted
  Object.assign(state, { uncounted: 0, waiting: [], isAsking: true })
  const askedAt = clock.monotonic()
  try {
    const { total, msLeft } = await counters.add(key, uncounted + asked, windowSeconds)
    // The store may have missed what it was told while it failed. What came in since the question is beyond both.
    const before = Math.max(total - asked, state.own - state.uncounted)
    // By the time of the question: better to think that a window is over too early than to refuse for too long.
    Object.assign(state, { total: before + asked, heardAt: clock.monotonic(), endsAt: askedAt + msLeft })
    const grants = share(waiting, before)
    const granted = grants.reduce((sum, each) => sum + each, 0)
    state.own += granted
    // What is refused is not used.
    state.uncounted -= asked - granted
    if (state.uncounted < 0) countSoon(deps, state)
    for (const [index, { limit, resolve }] of waiting.entries()) {
      resolve(tell(state, grants[index] ?? 0, limit, clock))
    }
  } catch {
    // The counters told of it. What was asked may have been counted all the same, so it is not counted again: nothing is refused
    // for that doubt.
    for (const { count, limit, resolve } of waiting) {
      const grant = grantNow(deps, state, count, limit)
      state.uncounted -= grant.granted
      state.total += grant.granted
      resolve(grant)
    }
  } finally {
    state.isAsking = false
    if (state.waiting.length > 0) void askStore(deps, state)
  }
}

/** What each gets of what is left, in the order of asking. */
function share(waiting: SharedCount['waiting'], usedBefore: number): number[] {
  let used = usedBefore
  return waiting.map(({ count, limit }) => {
    const granted = Math.max(0, Math.min(count, limit - used))
    used += granted
    return granted
  })
}

/** What the store is to be told. What is given back at the very end of a window might reach it in the next, and be too much there. */
const owed = ({ clock }: SharedCountDeps, { uncounted, endsAt }: SharedCount): number =>
  clock.monotonic() + COUNT_EVERY_MS < endsAt ? uncounted : Math.max(0, uncounted)

/** Tells the store in a moment what is uncounted. */
export function countSoon(deps: SharedCountDeps, state: SharedCount): void {
  if (state.isScheduled) return
  state.isScheduled = true
  const count = () => {
    state.isScheduled = false
    const isOwed = owed(deps, state) !== 0 && deps.clock.monotonic() < state.endsAt
    if (isOwed && state.isAsking) countSoon(deps, state)
    // With the store away the next one who asks sees to it.
    else if (isOwed && !deps.counters.isAway()) void askStore(deps, state)
  }
  setTimeout(count, COUNT_EVERY_MS).unref()
}
