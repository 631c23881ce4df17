import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE } from '../lib/units.ts'
import type { Lane } from '../push/push-kinds.ts'
import type { Allowances, Terms } from './allowance.ts'
import { BURST_SECONDS, endOfDay, type Licensed, pushLimits, secondsOf } from './push-limits.ts'
import type { QuotaWarnings } from './quota-warnings.ts'
import { type AnswerHeaders, warnOfQuota } from './rate-limit-headers.ts'
import type { Grant } from './shared-count.ts'

export interface Verdict {
  /** How many of those asked for, the first ones. */
  granted: number
  /** Why not the others; a new one each time, as each has its own id. */
  refusal(): Problem
}

export interface Judged {
  verdict: Verdict
  lane: Lane
  /** The one that is met first. */
  limit: 'burst' | 'day'
  burst: Grant
  day: Grant
}

export interface LaneJudgeDeps {
  allowances: Allowances
  warnings: QuotaWarnings
  clock: Clock
}

/** Both limits of a lane of a licence: its short window and its day. */
export function createLaneJudge({ allowances, warnings, clock }: LaneJudgeDeps) {
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
    const refusal = () => (isDay ? quotaProblem(lane, day) : burstProblem(lane, burst))
    return { verdict: { granted, refusal }, lane, limit: isDay ? 'day' : 'burst', burst, day }
  }

  const warn = (licensed: Licensed, { lane, day }: Judged, answer: AnswerHeaders) => {
    warnOfQuota(answer, lane, day)
    warnings.note(licensed, lane, day)
  }
  return { termsOf, judge, warn }
}
export type LaneJudge = ReturnType<typeof createLaneJudge>

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
