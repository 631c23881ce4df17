import {
  CircuitState,
  circuitBreaker,
  handleWhenResult,
  isBrokenCircuitError,
  SamplingBreaker,
} from 'cockatiel'
import type { Clock } from '../lib/clock.ts'
import { SECOND } from '../lib/units.ts'
import type { Push } from './push.ts'
import type { Provider } from './push-kinds.ts'
import type { Tried } from './send-try.ts'

/** Half of what was sent within this time failed: the vendor is down. */
const WINDOW_MS = 10 * SECOND
const THRESHOLD = 0.5
/** Fewer tries per second than this prove nothing. */
const MIN_TRIES_PER_SECOND = 1
/** Then one push asks whether it is over. */
const OPEN_MS = 5 * SECOND

/** While that one push is on its way. */
const PROBE_MS = SECOND

type Subject = Pick<Push, 'appId' | 'provider'>

/**
 * Stops the messages of an app at a provider that fails, so that a backlog waits instead of burning processor time that calls need,
 * and a vendor that comes back is not met by all of it at once. Calls do not pass here: for them every try is worth it.
 */
export interface ProviderCircuit {
  /** Milliseconds for which no push of the provider is worth a try, of whatever app; 0: now. */
  waitMs(provider: Provider): number
  /** The same for the pushes of one app. */
  waitOf(push: Subject): number
  /** Undefined: the circuit is open and nothing was sent. */
  run(push: Subject, work: () => Promise<Tried>): Promise<Tried | undefined>
}

interface CircuitDeps {
  clock: Clock
  /** The apps with credentials of each provider. */
  appsOf: Readonly<Record<Provider, readonly string[]>>
  onChange: (app: Subject, isOpen: boolean) => void
}

export function createProviderCircuit({ clock, appsOf, onChange }: CircuitDeps): ProviderCircuit {
  const circuits = new Map<string, Circuit>()
  const circuitOf = ({ appId, provider }: Subject): Circuit => {
    const key = JSON.stringify([appId, provider])
    const circuit =
      circuits.get(key) ?? createCircuit(clock, (isOpen) => onChange({ appId, provider }, isOpen))
    circuits.set(key, circuit)
    return circuit
  }
  return {
    waitMs(provider) {
      const waits = appsOf[provider].map((appId) => circuitOf({ appId, provider }).waitMs())
      return waits.length > 0 ? Math.min(...waits) : 0
    },
    waitOf: (push) => circuitOf(push).waitMs(),
    run: (push, work) => circuitOf(push).run(work),
  }
}

type Circuit = ReturnType<typeof createCircuit>

function createCircuit(clock: Clock, onChange: (isOpen: boolean) => void) {
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
    onChange(true)
  })
  policy.onReset(() => onChange(false))
  return {
    waitMs(): number {
      if (policy.state === CircuitState.Open) return Math.max(0, openedAt + OPEN_MS - clock.monotonic())
      return policy.state === CircuitState.HalfOpen ? PROBE_MS : 0
    },
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

/**
 * Answers that the next push of the app would get as well, and that cost a vendor or a connection dear. A wrong configuration is
 * answered at once and waits for a person, and what one phone had too much of says nothing about the others.
 */
const isOutage = (outcome: Tried['outcome']): boolean =>
  outcome.kind === 'unknown' || (outcome.kind === 'retry' && !outcome.isOfPhone)
