import {
  CircuitState,
  circuitBreaker,
  handleWhenResult,
  isBrokenCircuitError,
  SamplingBreaker,
} from 'cockatiel'
import type { Clock } from '../lib/clock.ts'
import { SECOND } from '../lib/units.ts'
import type { Provider } from './push-kinds.ts'
import type { Tried } from './send-try.ts'

/** Half of what was sent within this time failed: the vendor is down, or our account with it. */
const WINDOW_MS = 10 * SECOND
const THRESHOLD = 0.5
/** Fewer tries per second than this prove nothing. */
const MIN_TRIES_PER_SECOND = 1
/** Then one push asks whether it is over. */
const OPEN_MS = 5 * SECOND

/**
 * Stops the messages lane of a provider that fails, so that a backlog waits instead of burning processor time that calls need, and
 * a vendor that comes back is not met by all of it at once. Calls do not pass here: for them every try is worth it.
 */
export interface ProviderCircuit {
  /** Milliseconds to wait before another push is worth a try; 0: now. */
  waitMs(provider: Provider): number
  /** Undefined: the circuit is open and nothing was sent. */
  run(provider: Provider, work: () => Promise<Tried>): Promise<Tried | undefined>
}

export function createProviderCircuit(clock: Clock, onChange: (provider: Provider, isOpen: boolean) => void) {
  const circuits = {
    apns: createCircuit('apns', clock, onChange),
    fcm: createCircuit('fcm', clock, onChange),
  } satisfies Record<Provider, unknown>
  return {
    waitMs: (provider: Provider) => circuits[provider].waitMs(),
    run: (provider: Provider, work: () => Promise<Tried>) => circuits[provider].run(work),
  } satisfies ProviderCircuit
}

function createCircuit(
  provider: Provider,
  clock: Clock,
  onChange: (provider: Provider, isOpen: boolean) => void,
) {
  const policy = circuitBreaker(
    handleWhenResult((tried) => isOutage((tried as Tried).outcome)),
    {
      halfOpenAfter: OPEN_MS,
      breaker: new SamplingBreaker({
        threshold: THRESHOLD,
        duration: WINDOW_MS,
        minimumRps: MIN_TRIES_PER_SECOND,
      }),
    },
  )
  let openedAt = 0
  policy.onBreak(() => {
    openedAt = clock.monotonic()
    onChange(provider, true)
  })
  policy.onReset(() => onChange(provider, false))
  return {
    waitMs: () =>
      policy.state === CircuitState.Open ? Math.max(0, openedAt + OPEN_MS - clock.monotonic()) : 0,
    async run(work: () => Promise<Tried>): Promise<Tried | undefined> {
      try {
        return await policy.execute(work)
      } catch (error) {
        if (isBrokenCircuitError(error)) return undefined
        throw error
      }
    },
  }
}

/** Answers that the next push would get as well. */
const isOutage = ({ kind, ...fault }: Tried['outcome']): boolean =>
  kind === 'retry' ||
  kind === 'unknown' ||
  (kind === 'rejected' && 'class' in fault && fault.class === 'config')
