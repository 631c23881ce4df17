import type { ChatEvent } from '../chat.ts'
import type { Connection } from './connection.ts'

/** As many as are sent in one go from the database. */
const MOST = 200

/** Only what follows what there is: whatever has a gap before it, or comes to one who is sent nothing now, is read when its turn comes. */
export function keepAtHand(connection: Connection, event: ChatEvent): void {
  const { isHeld, pausedAt, cursor, atHand } = connection
  const last = atHand?.at(-1)?.seq ?? 0
  if (isHeld || pausedAt !== undefined || event.seq <= Math.max(cursor, last)) return
  if (atHand && event.seq === last + 1 && atHand.length < MOST) atHand.push(event)
  else connection.atHand = [event]
}

export function hasNextAtHand(connection: Connection): boolean {
  const { atHand, cursor } = connection
  const left = atHand?.filter(({ seq }) => seq > cursor)
  connection.atHand = left?.length ? left : undefined
  return left?.[0]?.seq === cursor + 1
}
