import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll, isBrokenCircuitError } from 'cockatiel'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import { createChannels } from './channels.ts'
import type { Signal, SignalListener, Signals, Subscription } from './signals.ts'

/** A caller who has 500 ms in all for handing over a call cannot wait longer for one answer of the store. */
const ANSWER_MS = 200
/** A single slow answer is not an outage; three in a row are, and then nobody waits for the fourth. */
const FAILURES = 3
/** One question per second finds out that the store is back. */
const PROBE_EVERY_MS = SECOND
/** About 1 kB each; the oldest is forgotten first. */
const MAX_ENTRIES = 20_000

/**
 * The signals of calls, which go on in this process while the store is away: whatever is put or claimed here is known here, and a
 * call whose request, push and registration all meet in one process ends as it should. Other processes know nothing of it, so a
 * failed `put` still rejects after it was told here. Not for workers' claims: two of them would ring the same phone.
 */
export function withLocalFallback(store: Signals, onError: (error: Error) => void): Signals {
  const local = createLocalSignals()
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: PROBE_EVERY_MS,
    breaker: new ConsecutiveBreaker(FAILURES),
  })
  const ask = <T>(what: string, work: () => Promise<T>): Promise<T> =>
    breaker.execute(() => within(ANSWER_MS, what, work()))
  /** What opened the breaker has been told; that it is open need not be told a thousand times. */
  const note = (error: unknown) => {
    if (!isBrokenCircuitError(error)) onError(toError(error))
  }

  return {
    async put(signal) {
      try {
        await ask('putting a signal', () => store.put(signal))
      } catch (error) {
        local.put(signal)
        throw error
      }
    },
    async putFirst(signal) {
      try {
        return await ask('putting a signal', () => store.putFirst(signal))
      } catch (error) {
        if (local.get(signal.key) === undefined) local.put(signal)
        throw error
      }
    },
    async claim(key, value, ttlMs) {
      const here = local.get(key)
      if (here !== undefined) return here
      return ask('claiming a signal', () => store.claim(key, value, ttlMs)).catch((error: unknown) => {
        note(error)
        const meanwhile = local.get(key)
        if (meanwhile === undefined) local.put({ key, value, ttlMs })
        return meanwhile
      })
    },
    async get(keys) {
      const stored = await ask('reading signals', () => store.get(keys)).catch((error: unknown) => {
        note(error)
        return []
      })
      return keys.map((key, index) => stored[index] ?? local.get(key))
    },
    subscribe(channel, listener): Subscription {
      local.listen(channel, listener)
      const subscription = store.subscribe(channel, listener)
      const isAway = breaker.state !== CircuitState.Closed
      // Nobody waits for it then, and it may fail.
      if (isAway) subscription.ready.catch(note)
      return {
        // With the store known to be away there is nothing to wait for: what happens here is heard from now on.
        ready: isAway ? Promise.resolve() : subscription.ready,
        close() {
          local.unlisten(channel, listener)
          subscription.close()
        },
      }
    },
    sweep: () => store.sweep(),
    ping: () => store.ping(),
    close: () => store.close(),
  }
}

function createLocalSignals() {
  const values = new Map<string, { value: string; until: number }>()
  const channels = createChannels()
  return {
    get(key: string): string | undefined {
      // Nearly always: nothing was ever kept here.
      if (values.size === 0) return undefined
      const entry = values.get(key)
      return entry && entry.until > performance.now() ? entry.value : undefined
    },
    put({ key, value, ttlMs, channel }: Signal): void {
      values.delete(key)
      values.set(key, { value, until: performance.now() + ttlMs })
      const [oldest] = values.keys()
      if (values.size > MAX_ENTRIES && oldest !== undefined) values.delete(oldest)
      if (channel !== undefined) channels.tell(channel, key, value)
    },
    listen: (channel: string, listener: SignalListener): void => void channels.add(channel, listener),
    unlisten: (channel: string, listener: SignalListener): void => void channels.remove(channel, listener),
  }
}
