import { type Summary, summarize } from '../../bench/load/summary.ts'
import type { Lane } from '../../src/push/push-kinds.ts'
import { type History, mayRing, type Phases, TERMINAL, type Violation } from './history.ts'
import { isAcknowledged, isSuccess, needsNoPush, type Story, tellStories } from './stories.ts'

export const PHASES = ['before', 'during', 'after'] as const
export type PhaseName = (typeof PHASES)[number]

/** A run in numbers. */
export interface Figures {
  acknowledged: number
  terminal: number
  lost: number
  /** Notifications beyond the first of each push, explained or not. */
  repeated: number
  phantom: number
  calls: { asked: number; sent: number }
  /** From the request to its arrival at the vendor, ms. */
  latency: Record<Lane, Record<PhaseName, Summary>>
  /** From the end of the fault until a request made after it has arrived, ms. */
  firstMs?: number
  /** From the end of the fault until all that was accepted before has ended, ms. */
  settledMs?: number
}

export function figuresOf(history: History, violations: readonly Violation[]): Figures {
  const stories = tellStories(history)
  const acknowledged = stories.filter((story) => isAcknowledged(story) && !needsNoPush(story))
  const calls = stories.filter(({ item }) => item.lane === 'calls')
  const count = (equation: string) => violations.find((found) => found.equation === equation)?.count ?? 0
  const { healedAt } = history.phases
  const settledAt = endOf(stories.filter((story) => acceptedAt(story) < healedAt))
  const firstAt = Math.min(
    ...stories.filter((story) => askedAt(story) >= healedAt).flatMap((story) => ringsAt(story) ?? []),
  )
  return {
    acknowledged: acknowledged.length,
    terminal: acknowledged.filter(({ row }) => row && TERMINAL.includes(row.state)).length,
    lost: count('lost') + count('no row'),
    repeated: stories.reduce(
      (sum, { receipts }) => sum + Math.max(0, receipts.filter(mayRing).length - 1),
      0,
    ),
    phantom: count('phantom'),
    calls: { asked: calls.length, sent: calls.filter(hasReached).length },
    latency: {
      calls: latencies(calls, history.phases),
      messages: latencies(
        stories.filter(({ item }) => item.lane === 'messages'),
        history.phases,
      ),
    },
    ...(Number.isFinite(firstAt) && { firstMs: firstAt - healedAt }),
    ...(settledAt !== undefined && { settledMs: Math.max(0, settledAt - healedAt) }),
  }
}

const acceptedAt = (story: Story): number =>
  Math.min(...story.answers.filter(isSuccess).map(({ answeredAt }) => answeredAt))
const askedAt = ({ answers }: Story): number => Math.min(...answers.map(({ sentAt }) => sentAt))
const hasReached = (story: Story): boolean => ringsAt(story) !== undefined || needsNoPush(story)
const ringsAt = ({ receipts }: Story): number | undefined => receipts.find(mayRing)?.at

/** When the last of the messages had ended; undefined: one has not. */
function endOf(stories: readonly Story[]): number | undefined {
  const ends = stories.flatMap(({ item, row }) => (item.lane === 'messages' ? [row?.closedAt] : []))
  const known = ends.filter((end) => end !== undefined)
  return known.length === ends.length ? Math.max(...known) : undefined
}

function latencies(stories: readonly Story[], { hurtAt, healedAt }: Phases) {
  const phaseOf = (at: number): PhaseName => (at < hurtAt ? 'before' : at < healedAt ? 'during' : 'after')
  const values: Record<PhaseName, number[]> = { before: [], during: [], after: [] }
  for (const story of stories) {
    const at = ringsAt(story)
    if (at !== undefined) values[phaseOf(askedAt(story))].push(at - askedAt(story))
  }
  return {
    before: summarize(values.before),
    during: summarize(values.during),
    after: summarize(values.after),
  }
}
