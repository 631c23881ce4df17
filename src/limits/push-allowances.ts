import { Problem } from '../lib/problem.ts'
import type { Events } from '../observability/events.ts'
import type { Lane } from '../push/push-kinds.ts'
import {
  createLaneJudge,
  type Judged,
  type LaneJudge,
  type LaneJudgeDeps,
  type Verdict,
} from './judge-lane.ts'
import { BURST_SECONDS, type Licensed } from './push-limits.ts'
import { type AnswerHeaders, leftOf, setRateLimitHeaders } from './rate-limit-headers.ts'

/** Who writes down what was asked for; see `GET /v1/license/usage`. */
export interface UsageRecorder {
  add(licenseId: string, lane: Lane, pushes: { accepted: number; refused: number }): void
}

export interface PushAllowancesDeps extends LaneJudgeDeps {
  usage: UsageRecorder
  events: Pick<Events, 'pushesRefused'>
  /** False: nothing is refused, and what is pushed is still written down. */
  isOn: boolean
}

/** How a lane of a licence stands. Times are milliseconds since the epoch. */
export interface LaneStanding {
  burst: { limit: number; seconds: number }
  day: { used: number; limit: number; resetsAt: number }
}

/** How many pushes of each lane. */
type Wanted = Partial<Record<Lane, number>>

/** What licences may push, counted over all nodes; each lane by itself. */
export function createPushAllowances(deps: PushAllowancesDeps) {
  const { allowances, usage, events, isOn } = deps
  const laneJudge = createLaneJudge(deps)
  const { termsOf, judge, warn } = laneJudge

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
        if (granted < count) events.pushesRefused(lane, judged.limit, count - granted)
        warn(licensed, judged, answer)
        if (!nearest || leftOf(judged) < leftOf(nearest)) nearest = judged
      }
      if (nearest) setRateLimitHeaders(answer, nearest)
      return verdicts
    },

    /**
     * Of the licences of one owner: what the first has not left, the next one gives.
     *
     * @returns the licence of each push that may go; throws why not when that is none
     */
    takeOfSeveral: (
      licenses: readonly Licensed[],
      lane: Lane,
      count: number,
      answer: AnswerHeaders,
    ): Promise<string[]> => takeInTurn(deps, laneJudge, { licenses, lane, count }, answer),

    /** These were not pushed after all. */
    giveBack(licenses: readonly Licensed[], lane: Lane, licenseIds: readonly string[]): void {
      for (const licensed of licenses) {
        const count = licenseIds.filter((id) => id === licensed.id).length
        if (count === 0) continue
        usage.add(licensed.id, lane, { accepted: -count, refused: 0 })
        const { burst, day } = termsOf(licensed, lane)
        if (isOn) for (const [key] of [burst, day]) allowances.giveBack(key, count)
      }
    },

    /** For who will take some in a moment, and does not want to wait then. */
    prepare(licensed: Licensed, lane: Lane): void {
      if (!isOn) return
      const { burst, day } = termsOf(licensed, lane)
      for (const entry of [burst, day]) allowances.prepare(...entry)
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

async function takeInTurn(
  { usage, events, isOn }: PushAllowancesDeps,
  { judge, warn }: LaneJudge,
  { licenses, lane, count }: { licenses: readonly Licensed[]; lane: Lane; count: number },
  answer: AnswerHeaders,
): Promise<string[]> {
  const taken: string[] = []
  let last: Judged | undefined
  for (const licensed of licenses) {
    const wanted = count - taken.length
    if (wanted === 0) break
    last = isOn ? await judge(licensed, lane, wanted) : undefined
    const accepted = last?.verdict.granted ?? wanted
    if (accepted > 0) usage.add(licensed.id, lane, { accepted, refused: 0 })
    taken.push(...Array<string>(accepted).fill(licensed.id))
    if (last) warn(licensed, last, answer)
  }
  if (last) setRateLimitHeaders(answer, last)
  const refused = count - taken.length
  if (!last || refused === 0) return taken
  events.pushesRefused(lane, last.limit, refused)
  usage.add(licenses[0]?.id ?? '', lane, { accepted: 0, refused })
  if (taken.length === 0) throw last.verdict.refusal()
  return taken
}
