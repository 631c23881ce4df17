import { Problem } from '../lib/problem.ts'
import type { Verdict } from '../limits/judge-lane.ts'
import type { PushAllowances } from '../limits/push-allowances.ts'
import type { Licensed } from '../limits/push-limits.ts'
import type { AnswerHeaders } from '../limits/rate-limit-headers.ts'
import { LANE_OF, type Lane, type PushKind } from '../push/push-kinds.ts'

/** Whoever pushes: how much, and which lanes at all. */
export interface LicensedSender extends Licensed {
  entitlements: readonly string[]
}

/** A push that stops a ring is never refused, and so it is not counted either. */
export const isCounted = (kind: PushKind): boolean => kind !== 'cancel'

/** Lets a push pass as far as its licence goes; throws the 429 that says why not. */
export async function admitPush(
  pushAllowances: PushAllowances,
  caller: LicensedSender,
  kind: PushKind,
  answer: AnswerHeaders,
): Promise<void> {
  const lane = LANE_OF[kind]
  const missing = refuseMissing(caller, kind)
  if (missing) throw missing
  if (!isCounted(kind)) return pushAllowances.tell(caller, lane, answer)
  const { granted, refusal } = (await pushAllowances.take(caller, { [lane]: 1 }, answer))[lane]
  if (granted === 0) throw refusal()
}

/** For what comes together: in the order of the kinds, why each of them does not pass, or undefined where it does. */
export async function admitPushes(
  pushAllowances: PushAllowances,
  caller: LicensedSender,
  kinds: readonly PushKind[],
  answer: AnswerHeaders,
): Promise<(Problem | undefined)[]> {
  const wanted: Record<Lane, number> = { calls: 0, messages: 0 }
  const missing = kinds.map((kind) => refuseMissing(caller, kind))
  for (const kind of kinds.filter((one, i) => isCounted(one) && !missing[i])) wanted[LANE_OF[kind]] += 1
  if (wanted.calls + wanted.messages === 0) pushAllowances.tell(caller, 'calls', answer)
  const verdicts = await pushAllowances.take(caller, wanted, answer)
  const left: Record<Lane, number> = { calls: verdicts.calls.granted, messages: verdicts.messages.granted }
  const judge = (lane: Lane, { refusal }: Verdict) => {
    left[lane] -= 1
    return left[lane] < 0 ? refusal() : undefined
  }
  return kinds.map(
    (kind, i) => missing[i] ?? (isCounted(kind) ? judge(LANE_OF[kind], verdicts[LANE_OF[kind]]) : undefined),
  )
}

/** A licence includes a lane or does not; the entitlements are named like the lanes. */
function refuseMissing({ entitlements }: LicensedSender, kind: PushKind): Problem | undefined {
  const lane = LANE_OF[kind]
  if (entitlements.includes(lane)) return undefined
  return new Problem('not_entitled', {
    code: 'ENTITLEMENT_MISSING',
    extra: { hint: `this licence does not include: ${lane}` },
  })
}
