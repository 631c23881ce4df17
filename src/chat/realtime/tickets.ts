import { hash, randomBytes } from 'node:crypto'
import type { AppTokenHolder } from '../../http/app-caller.ts'
import type { Clock } from '../../lib/clock.ts'
import { within } from '../../lib/deadline.ts'
import { Problem } from '../../lib/problem.ts'
import { MINUTE, SECOND } from '../../lib/units.ts'
import type { Signals } from '../../signals/signals.ts'

const GOOD_MS = MINUTE
const ANSWER_MS = SECOND

/** Which session a ticket stands for; whether that goes on is looked at when the ticket is used. */
export interface Ticketed {
  sessionId: string
  /** Milliseconds since the epoch: of the token with which it was bought. */
  tokenExpiresAt: number
}

/**
 * For clients that can set no header, and whose token is not to stand where everything else of a request stands. Good once, on any
 * node; only its hash is kept.
 */
export function createTickets({
  signals,
  clock,
}: {
  signals: Pick<Signals, 'put' | 'get' | 'claim'>
  clock: Clock
}) {
  const answered = <T>(work: Promise<T>): Promise<T> =>
    within(ANSWER_MS, 'asking about a ticket', work).catch((cause: unknown) => {
      throw new Problem('queue_unavailable', { retryAfter: 1, cause })
    })
  return {
    async make({ sessionId, tokenExpiresAt }: AppTokenHolder): Promise<{ ticket: string; expiresAt: Date }> {
      const ticket = randomBytes(24).toString('base64url')
      const ticketed: Ticketed = { sessionId, tokenExpiresAt: tokenExpiresAt.getTime() }
      await answered(signals.put({ key: keyOf(ticket), value: JSON.stringify(ticketed), ttlMs: GOOD_MS }))
      return { ticket, expiresAt: new Date(clock.now() + GOOD_MS) }
    },

    /** Undefined: nobody's, or it was used, or too late. */
    async redeem(ticket: string): Promise<Ticketed | undefined> {
      const key = keyOf(ticket)
      const [value] = await answered(signals.get([key]))
      if (value === undefined) return undefined
      // Kept longer than the ticket: there is no moment in which only one of the two is there.
      const usedBy = await answered(signals.claim(`${key}.used`, 'used', 2 * GOOD_MS))
      return usedBy === undefined ? (JSON.parse(value) as Ticketed) : undefined
    },
  }
}
export type Tickets = ReturnType<typeof createTickets>

const keyOf = (ticket: string) => `realtime-ticket.${hash('sha256', ticket)}`
