import type { ClientAnswer, History, Item, LoggedPush, Receipt } from './history.ts'

/** One push in all three logs. */
export interface Story {
  item: Item
  answers: readonly ClientAnswer[]
  receipts: readonly Receipt[]
  /** Every id that anybody gave it; one, if all is well. */
  ids: readonly string[]
  row?: LoggedPush
}

/** Puts the three logs together, push by push. */
export function tellStories({ items, answers, receipts, rows }: History): Story[] {
  const answersOf = Map.groupBy(answers, ({ subject }) => subject)
  const receiptsOf = Map.groupBy(receipts, ({ subject }) => subject)
  const byId = new Map(rows.map((row) => [row.id, row]))
  const byCall = Map.groupBy(rows, ({ callId }) => callId)
  return items.map((item) => {
    const own = answersOf.get(item.subject) ?? []
    const got = (receiptsOf.get(item.subject) ?? []).toSorted((a, b) => a.at - b.at)
    const logged = item.lane === 'calls' ? (byCall.get(item.subject) ?? []) : []
    const named = [...own, ...got].flatMap(({ pushId }) => (pushId === undefined ? [] : [pushId]))
    const ids = [...new Set([...named, ...logged.map(({ id }) => id)])]
    const row = ids.map((id) => byId.get(id)).find((found) => found !== undefined)
    return { item, answers: own, receipts: got, ids, ...(row && { row }) }
  })
}

/** The phone was there before its push had to be sent: woken for another call at the same time. */
export const needsNoPush = ({ answers, receipts }: Story): boolean =>
  receipts.length === 0 && answers.some(({ outcome }) => outcome === 'registered')

/** The caller was told that it is taken over. */
export const isAcknowledged = ({ answers }: Story): boolean => answers.some(isSuccess)
export const isSuccess = ({ status }: ClientAnswer): boolean => status === 200 || status === 202
