import { MINUTE, SECOND } from '../lib/units.ts'
import type { Count } from './counters.ts'
import { createRecentMap } from './recent-map.ts'
import {
  askStore,
  BLANK,
  countSoon,
  type Grant,
  grantNow,
  newCount,
  type SharedCount,
  type SharedCountDeps,
  tell,
} from './shared-count.ts'

/** What a key may have in a window. The window begins with the first that is asked for. */
export interface Terms {
  limit: number
  windowSeconds: number
  /** A quarter of the limit is each node's own: whoever stays below it costs no question to the store. */
  isMostlyCold?: true
}

export interface Allowances {
  /** Of `count` as many as are left, and those that are granted are used from now on. Never rejects. */
  ask(key: string, count: number, terms: Terms): Grant | Promise<Grant>
  /** What this node knows, without using any. */
  peek(key: string, terms: Terms): Grant
  /** What the store knows, without using any; what this node knows if that is away. */
  look(key: string, terms: Terms): Promise<Grant>
  /** Asks the store how many are used, unless that was heard just now: who asks then for some of many need not wait. */
  prepare(key: string, terms: Terms): void
  /** Gives back what was granted in this window and not used after all. */
  giveBack(key: string, count: number): void
  /** As if none had been asked for. */
  forget(key: string): Promise<void>
}

/** What the store said is good for so long. */
const FRESH_MS = SECOND
/** With less than this left each asker waits for the store, so a limit below it is exact over any number of nodes. */
const FEW = 100
/** The longest window but a day's; what is forgotten here is asked of the store again. */
const KEEP_MS = 15 * MINUTE
/** Some 300 bytes each. */
const MOST = 50_000

/**
 * Allowances that all nodes share. A trip to the store for each that asks would cost more than what it protects, so askers of one
 * moment share a trip, and while plenty is left (a quarter of the rest is this node's to give) nobody waits for one. Near the
 * limit everybody does, and gets exactly what is left. While the store is away each node grants up to the limit by itself.
 */
export function createAllowances(deps: SharedCountDeps): Allowances {
  const { counters, clock } = deps
  const states = createRecentMap<SharedCount>(clock, { keepMs: KEEP_MS, most: MOST })

  const stateOf = (key: string, windowSeconds: number): SharedCount => {
    const now = clock.monotonic()
    const known = states.get(key)
    if (known && now < known.endsAt) return known
    const state = known ?? newCount(key)
    Object.assign(state, BLANK, { windowSeconds, endsAt: now + windowSeconds * SECOND })
    if (!known) states.set(key, state)
    return state
  }

  /** How many this node may let go before it has told the store. */
  const atOnce = ({ total, heardAt }: SharedCount, { limit, isMostlyCold }: Terms): number => {
    const left = limit - total
    if (counters.isAway() || left <= 0) return Number.POSITIVE_INFINITY
    if (heardAt === Number.NEGATIVE_INFINITY) return isMostlyCold ? limit / 4 : 0
    return left >= FEW && clock.monotonic() - heardAt <= FRESH_MS ? left / 4 : 0
  }

  return {
    ask(key, count, terms) {
      const state = stateOf(key, terms.windowSeconds)
      if (state.uncounted + count <= atOnce(state, terms)) {
        const grant = grantNow(deps, state, count, terms.limit)
        if (state.heardAt > Number.NEGATIVE_INFINITY) countSoon(deps, state)
        return grant
      }
      return new Promise((resolve) => {
        state.waiting.push({ count, limit: terms.limit, resolve })
        if (!state.isAsking) void askStore(deps, state)
      })
    },

    peek: (key, { limit, windowSeconds }) => tell(stateOf(key, windowSeconds), 0, limit, clock),

    async look(key, { limit, windowSeconds }) {
      const state = stateOf(key, windowSeconds)
      const askedAt = clock.monotonic()
      // The counters tell of a failure themselves.
      const found = await counters.read(key).catch(() => undefined)
      if (found && !state.isAsking) {
        Object.assign(state, {
          total: found.total,
          heardAt: clock.monotonic(),
          endsAt: askedAt + found.msLeft,
        })
      }
      return tell(state, 0, limit, clock)
    },

    prepare(key, { windowSeconds }) {
      const state = stateOf(key, windowSeconds)
      const { heardAt, endsAt } = state
      if (counters.isAway() || state.isAsking || clock.monotonic() - heardAt <= FRESH_MS) return
      const askedAt = clock.monotonic()
      const learn = (found: Count | undefined) => {
        // Who asked meanwhile knows better.
        if (state.isAsking || state.heardAt !== heardAt || state.endsAt !== endsAt) return
        state.total = Math.max(found?.total ?? 0, state.own - state.uncounted)
        state.heardAt = clock.monotonic()
        if (found) state.endsAt = askedAt + found.msLeft
      }
      // The counters tell of a failure themselves.
      counters.read(key).then(learn, () => undefined)
    },

    giveBack(key, count) {
      const state = states.get(key)
      if (!state || clock.monotonic() >= state.endsAt) return
      state.uncounted -= count
      state.own -= count
      if (state.heardAt > Number.NEGATIVE_INFINITY) countSoon(deps, state)
    },

    async forget(key) {
      states.delete(key)
      // With the store away there is nothing but what this node knew.
      await counters.forget(key).catch(() => undefined)
    },
  }
}
