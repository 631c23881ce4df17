import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Lane } from '../push/push-kinds.ts'
import type { Allowances, Terms } from './allowance.ts'
import { BURST_SECONDS, endOfDay, type Licensed, pushLimits, secondsOf } from './push-limits.ts'
import type { QuotaWarnings } from './quota-warnings.ts'
import { type AnswerHeaders, leftOf, setRateLimitHeaders, warnOfQuota } from './rate-limit-headers.ts'
import type { Grant } from './shared-count.ts'

/** Who writes down what was asked for; see `GET /v1/license/usage`. */
export interface UsageRecorder {
  add(licenseId: string, lane: Lane, pushes: { accepted: number; refused: number }): void
}

export interface PushAllowancesDeps {
  allowances: Allowances
  usage: UsageRecorder
  warnings: QuotaWarnings
  clock: Clock
  events: Pick<Events, 'pushesRefused'>
  /** False: nothing is refused, and what is pushed is still written down. */
  isOn: boolean
}

export interface Verdict {
  /** How many of those asked for, the first ones. */
  granted: number
  /** Why not the others; a new one each time, as each has its own id. */
  refusal(): Problem
}

/** How a lane of a licence stands. Times are milliseconds since the epoch. */
export interface LaneStanding {
  burst: { limit: number; seconds: number }
  day: { used: number; limit: number; resetsAt: number }
}

/** How many pushes of each lane. */
type Wanted = Partial<Record<Lane, number>>
interface Judged {
  verdict: Verdict
  lane: Lane
  burst: Grant
  day: Grant
}

/** What licences may push, counted over all nodes; each lane by itself. */
export function createPushAllowances(deps: PushAllowancesDeps) {
  const { allowances, usage, warnings, clock, events, isOn } = deps

  const termsOf = (licensed: Licensed, lane: Lane) => {
    const { burst, day } = pushLimits(licensed)[lane]
    const now = clock.now()
    const resetsAt = endOfDay(now)
    const resetMs = resetsAt - now
    return {
      burst: entry(`burst.${lane}.${licensed.id}`, burst, BURST_SECONDS),
      day: entry(`day.${lane}.${licensed.id}.${resetsAt}`, day, secondsOf(resetMs)),
      resetMs,
      resetsAt,
    }
  }

  const judge = async (licensed: Licensed, lane: Lane, count: number): Promise<Judged> => {
    const terms = termsOf(licensed, lane)
    let day = allowances.peek(...terms.day)
    // Who has no quota left is told so, and not to come back in some seconds.
    const isSpent = day.used >= day.limit
    const burst = isSpent
      ? allowances.peek(...terms.burst)
      : await allowances.ask(terms.burst[0], count, terms.burst[1])
    if (burst.granted > 0) day = await allowances.ask(terms.day[0], burst.granted, terms.day[1])
    day = { ...day, resetMs: terms.resetMs }
    const { granted } = day
    const isDay = day.used >= day.limit && granted < Math.max(burst.granted, 1)
    if (granted < count) events.pushesRefused(lane, isDay ? 'day' : 'burst', count - granted)
    const refusal = () => (isDay ? quotaProblem(lane, day) : burstProblem(lane, burst))
    return { verdict: { granted, refusal }, lane, burst, day }
  }

  return {
    /** Takes as many pushes as there are left, and tells the answer how things stand. */
    async take(licensed: Licensed, wanted: Wanted, answer: AnswerHeaders): Promise<Record<Lane, Verdict>> {
      const verdicts: Record<Lane, Verdict> = { calls: NOTHING_WANTED, messages: NOTHING_WANTED }
      let nearest: Judged | undefined
      for (const lane of LANES) {
        const count = wanted[lane] ?? 0
        if (count === 0) continue
        const judged = isOn ? await judge(licensed, lane, count) : undefined
        const granted = judged?.verdict.granted ?? count
        usage.add(licensed.id, lane, { accepted: granted, refused: count - granted })
        verdicts[lane] = judged?.verdict ?? { ...NOTHING_WANTED, granted }
        if (!judged) continue
        warnOfQuota(answer, lane, judged.day)
        warnings.note(licensed, lane, judged.day)
        if (!nearest || leftOf(judged) < leftOf(nearest)) nearest = judged
      }
      if (nearest) setRateLimitHeaders(answer, nearest)
      return verdicts
    },

    /** Tells the answer to what is not counted how things stand. */
    tell(licensed: Licensed, lane: Lane, answer: AnswerHeaders): void {
      if (!isOn) return
      const { burst, day, resetMs } = termsOf(licensed, lane)
      const standing = { burst: allowances.peek(...burst), day: { ...allowances.peek(...day), resetMs } }
      setRateLimitHeaders(answer, standing)
    },

    /** What was used of a lane today, as all nodes know it, and what there is. */
    async standing(licensed: Licensed, lane: Lane): Promise<LaneStanding> {
      const { burst, day, resetsAt } = termsOf(licensed, lane)
      const { used, limit } = await allowances.look(...day)
      return {
        burst: { limit: burst[1].limit, seconds: BURST_SECONDS },
        day: { used, limit, resetsAt },
      }
    },
  }
}
export type PushAllowances = ReturnType<typeof createPushAllowances>

const LANES = ['calls', 'messages'] as const satisfies Lane[]
const NOTHING_WANTED: Verdict = { granted: 0, refusal: () => new Problem('rate_limited') }

const entry = (key: string, limit: number, windowSeconds: number): [string, Terms] => [
  key,
  { limit, windowSeconds },
]

const burstProblem = (lane: Lane, { limit, resetMs }: Grant): Problem =>
  new Problem('rate_limited', {
    retryAfter: secondsOf(resetMs),
    extra: {
      hint: `this licence may push ${limit} ${lane} in ${BURST_SECONDS} seconds: the next ${limit} in ${secondsOf(resetMs)} s`,
    },
  })

const quotaProblem = (lane: Lane, { limit, resetMs }: Grant): Problem =>
  new Problem('quota_exceeded', {
    retryAfter: secondsOf(resetMs),
    extra: {
      hint: `this licence may push ${limit} ${lane} a day: the next ${limit} at midnight UTC, in ${Math.ceil(resetMs / MINUTE)} min`,
    },
  })
