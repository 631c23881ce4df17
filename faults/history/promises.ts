import { type Equation, eachStory } from './equations.ts'
import { TERMINAL } from './history.ts'
import { isAcknowledged, needsNoPush } from './stories.ts'

/** What callers were promised, against what the database says in the end. */
export const PROMISES: Readonly<Record<string, Equation>> = {
  /** Whatever was answered with success has a row. */
  'no row': eachStory((story) =>
    isAcknowledged(story) && !story.row && !needsNoPush(story)
      ? 'acknowledged and not in the push log'
      : undefined,
  ),

  /** A message that was accepted ends, and the row says how. */
  lost: eachStory((story, { pending }) => {
    const { item, row } = story
    if (item.lane !== 'messages' || !isAcknowledged(story) || !row) return undefined
    if (!TERMINAL.includes(row.state) || row.closedAt === undefined) return `still ${row.state}`
    return pending.includes(row.id) ? `${row.state} and still owed` : undefined
  }),

  /** It ends as the vendor's answers say. */
  'wrong end': eachStory(({ item, row }) =>
    row && TERMINAL.includes(row.state) && !item.ends.includes(row.state)
      ? `${row.state} (${row.reason ?? 'no reason'}) in place of ${item.ends.join(' or ')}`
      : undefined,
  ),

  /** `delivered` means that the vendor said so. */
  unproven: eachStory(({ row, receipts }) =>
    row?.state === 'delivered' && !receipts.some(({ status }) => status === 200)
      ? 'delivered, and no vendor has accepted it'
      : undefined,
  ),

  /** A try that was answered was made. */
  'invented try': (history, stories) => {
    const answered = new Set(
      stories.flatMap(({ ids, receipts }) =>
        receipts.flatMap(({ status }) => ids.map((id) => `${id} ${status}`)),
      ),
    )
    const invented = history.tries.filter(({ pushId, status }) => !answered.has(`${pushId} ${status}`))
    return invented.map(({ pushId, status }) => `${pushId}: ${status}, which no vendor has answered`)
  },

  /** The end of a token is the vendor's word and nobody else's. */
  'token killed': eachStory(({ row, receipts }) =>
    row?.tokenState === 'dead' && !receipts.some(({ status }) => status === 410 || status === 404)
      ? 'the token is held for dead, and no vendor said so'
      : undefined,
  ),

  /** A key that is repeated gives the same push, to callers, to vendors and in the log. */
  'several ids': eachStory(({ ids }) => (ids.length > 1 ? ids.join(' and ') : undefined)),
}
