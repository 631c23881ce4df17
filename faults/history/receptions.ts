import { SECOND } from '../../src/lib/units.ts'
import { type Equation, eachStory } from './equations.ts'
import { type Disruption, type Item, mayRing, type Receipt } from './history.ts'

/** A try is under way for some milliseconds; on a busy machine, for longer. */
const UNDER_WAY_MS = 3 * SECOND
/** The commit of an end is a moment later than the time in the row; what arrives was sent a moment before. */
const MOMENT_MS = 50
/** What may lie between the last look at the deadline and the arrival. */
const LATE_MS = 100

/** What vendors got, against what was asked and what was said of it. */
export const RECEPTIONS: Readonly<Record<string, Equation>> = {
  /** Nobody is told what nobody asked for. */
  phantom: ({ receipts, items }) => {
    const asked = new Set(items.map(({ subject }) => subject))
    return receipts
      .filter(({ subject }) => !asked.has(subject))
      .map(({ provider, subject }) => `${provider} got ${subject || 'a push without a subject'}`)
  },

  /** Once, and once more for each time that nobody could know whether it had arrived. */
  duplicated: eachStory(({ item, receipts }, { disruptions }) => {
    const ringing = receipts.filter(mayRing)
    const allowed = 1 + unanswered(item, receipts) + hits(item, receipts, disruptions)
    return ringing.length > allowed ? `${ringing.length} times, at most ${allowed} explained` : undefined
  }),

  /** What has ended is not sent, but by a worker that was frozen in the middle of it. */
  'sent after its end': eachStory(({ item, row, receipts }, { disruptions }) => {
    if (item.lane !== 'messages' || row?.closedAt === undefined) return undefined
    const end = row.closedAt + MOMENT_MS
    const frozen = disruptions.filter(({ kind, lane }) => kind === 'frozen' && lane === item.lane)
    const late = receipts.filter(({ at }) => at > end && !frozen.some((one) => isHit(one, at)))
    return late.length > 0 ? `${Math.round((late[0]?.at ?? 0) - row.closedAt)} ms after` : undefined
  }),

  /** A phone must not ring for a call that is over. */
  'sent too late': eachStory(({ item, row, receipts }) => {
    if (item.lane !== 'calls' || !row) return undefined
    const late = receipts.find(({ at }) => at > row.expiresAt + LATE_MS)
    return late && `${Math.round(late.at - row.expiresAt)} ms after it expired`
  }),
}

/** Messages are sent again when the vendor gave no answer; calls are not, because the phone may ring already. */
const unanswered = ({ lane }: Item, receipts: readonly Receipt[]): number =>
  lane === 'messages' ? receipts.filter(({ status }) => status === 0).length : 0

/**
 * How many of the disruptions met this push while it was under way. Who takes up the work of a lost worker sends a message again,
 * and a call never: only where no claim can be seen may two of them send it.
 */
const hits = ({ lane }: Item, receipts: readonly Receipt[], disruptions: readonly Disruption[]): number =>
  disruptions.filter(
    (one) =>
      one.lane === lane &&
      (lane === 'messages' || one.kind === 'store') &&
      receipts.some(({ at }) => isHit(one, at)),
  ).length

/** What a dead worker had sent before; what a frozen one had in hand before or sent afterwards. */
const isHit = ({ kind, at, until }: Disruption, receivedAt: number): boolean =>
  receivedAt >= at - UNDER_WAY_MS && receivedAt <= (kind === 'killed' ? at + MOMENT_MS : until + UNDER_WAY_MS)
