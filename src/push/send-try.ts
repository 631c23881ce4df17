import type { Clock } from '../lib/clock.ts'
import type { Events } from '../observability/events.ts'
import { type Failure, needsOperator, type Outcome, type PushProvider } from './outcome.ts'
import type { ApnsEnvironment, Push } from './push.ts'
import type { Provider } from './push-kinds.ts'
import type { PushLog } from './push-log.ts'
import type { TokenState } from './push-result.ts'
import type { TokenVerdicts } from './token-verdicts.ts'

/** What came of one try, and what it taught us about the token. Times are milliseconds since the epoch. */
export interface Tried {
  outcome: Outcome
  tokenState: TokenState
  /** Apple's gateway that was asked, where it is another one than the push names. */
  environment?: ApnsEnvironment
  sentAt: number
  answeredAt: number
}

export interface SendTryDeps {
  providers: Readonly<Record<Provider, PushProvider>>
  verdicts: TokenVerdicts
  pushLog: PushLog
  events: Pick<Events, 'providerRefused'>
  clock: Clock
}

const OTHER: Record<ApnsEnvironment, ApnsEnvironment> = { production: 'sandbox', sandbox: 'production' }

/**
 * One try of a push of any kind: at the vendor, at the vendor's other gateway if the token may belong there, and in the books of
 * the token. Neither the queue nor the row is touched.
 *
 * @param attempt 1 for the first @param withinMs the longest that the answer is worth waiting for
 */
export function createSendTry(deps: SendTryDeps) {
  const { verdicts } = deps
  return async function sendTry(push: Push, attempt: number, withinMs: number): Promise<Tried> {
    const until = deps.clock.now() + withinMs
    const environment = verdicts.environmentOf(push)
    const first = await sendOnce(deps, push, environment, attempt, until)
    const { outcome } = first
    const isWorthAProbe =
      outcome.kind === 'rejected' &&
      outcome.tryOtherEnvironment &&
      !(await verdicts.isProbed(push, outcome.reason)) &&
      deps.clock.now() < until
    if (isWorthAProbe) {
      const second = await sendOnce(deps, push, OTHER[environment], attempt, until)
      if (second.outcome.kind === 'accepted') {
        await verdicts.moved(push, OTHER[environment])
        return { ...second, ...elsewhere(push, OTHER[environment]), tokenState: 'valid' }
      }
    }
    const isAccused =
      outcome.kind === 'token_dead' || (outcome.kind === 'rejected' && outcome.class === 'token')
    const tokenState = isAccused ? await verdicts.accuse(push, outcome, first.sentAt) : 'valid'
    return { ...first, ...elsewhere(push, environment), tokenState }
  }
}
export type SendTry = ReturnType<typeof createSendTry>

const elsewhere = (push: Push, environment: ApnsEnvironment) =>
  environment === push.environment ? {} : { environment }

async function sendOnce(
  { providers, verdicts, pushLog, events, clock }: SendTryDeps,
  push: Push,
  environment: ApnsEnvironment,
  attempt: number,
  until: number,
): Promise<Pick<Tried, 'outcome' | 'sentAt' | 'answeredAt'>> {
  const sentAt = clock.now()
  const there = environment === push.environment ? push : { ...push, environment }
  const outcome = await providers[push.provider].send(there, AbortSignal.timeout(Math.max(1, until - sentAt)))
  const answeredAt = clock.now()
  verdicts.observe(there, outcome)
  // At the first try: the push itself may have days left in which nobody would hear of it.
  if (needsOperator(outcome)) events.providerRefused(there, outcome)
  if (outcome.kind !== 'accepted') {
    pushLog.tried(push, { number: attempt, environment, sentAt, answeredAt, ...asAttempt(outcome) })
  }
  return { outcome, sentAt, answeredAt }
}

const asAttempt = ({ kind, class: faultClass, status, reason }: Failure) => ({
  outcome: kind,
  class: faultClass,
  reason,
  ...(status !== undefined && { status }),
})
