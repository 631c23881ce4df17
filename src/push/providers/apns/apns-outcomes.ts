import { SECOND } from '../../../lib/units.ts'
import type { Outcome } from '../../outcome.ts'
import type { Push } from '../../push.ts'
import { LANE_OF, type Lane } from '../../push-kinds.ts'
import { type Action, failureOf, type Judgement, verdictByStatus, withCode } from '../verdict.ts'
import { APNS_ANSWERS } from './apns-answers.ts'
import { APNS_ENDINGS } from './apns-endings.ts'
import type { ApnsAnswer, ApnsReply } from './apns-reply.ts'

const rows = new Map(APNS_ANSWERS.map((row) => [`${row.status} ${row.reason}`, row]))

/** Where Apple names no time, ms. A phone rings only for so long, so a call has less patience than a message. */
const PAUSES: Partial<Record<Action, Record<Lane, number>>> = {
  spare_phone: { calls: SECOND, messages: 10 * SECOND },
  keep_provider_token: { calls: SECOND, messages: 10 * SECOND },
  wait: { calls: SECOND, messages: 10 * SECOND },
}

/** @param push Its id stands in as the provider's when Apple did not echo one: it is the same UUID. */
export function outcomeOfApns(reply: ApnsReply, { id, kind }: Pick<Push, 'id' | 'kind'>): Outcome {
  if ('ending' in reply) {
    const { ending, status, code } = reply
    const { detail, ...verdict } = APNS_ENDINGS[ending]
    return failureOf({ ...verdict, reason: ending, detail: withCode(detail, code) }, { status })
  }
  if (reply.status >= 200 && reply.status < 300) {
    return { kind: 'accepted', providerId: reply.apnsId ?? id }
  }
  const { status, timestamp: deadSince } = reply
  const judgement = judge(reply)
  const retryAfterMs = reply.retryAfterMs ?? PAUSES[judgement.action]?.[LANE_OF[kind]]
  return failureOf(judgement, { status, deadSince, retryAfterMs })
}

/** Whether Apple wants less, which is answered at once and not by the queue. */
export const isTooLarge = (reply: ApnsReply): boolean =>
  !('ending' in reply) && judge(reply).action === 'trim_and_resend'

const judge = (answer: ApnsAnswer): Judgement =>
  rows.get(`${answer.status} ${answer.reason}`) ?? undocumented(answer)

/** Words that Apple may add tomorrow are judged by their status, and never cost a token. */
const undocumented = ({ status, reason }: ApnsAnswer): Judgement => ({
  ...verdictByStatus(status),
  reason: reason ?? `status_${status}`,
  detail: `Apple answered with status ${status} and a reason that Wakeline does not know.`,
})
