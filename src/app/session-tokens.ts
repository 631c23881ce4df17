import { timingSafeEqual } from 'node:crypto'
import type { Keyring } from '../lib/keyring.ts'

/** Which session a refresh token belongs to, and which of its tokens it is. */
export interface RefreshTicket {
  sessionId: string
  generation: number
}

/**
 * A refresh token is `wlr_<session>.<number>.<proof>`: nobody but us can make one, and the same place always has the same one. So it
 * need not be stored, and one that was used long ago is known to be ours.
 */
export function createRefreshTokens({ refreshTokenMac }: Pick<Keyring, 'refreshTokenMac'>) {
  const proofOf = ({ sessionId, generation }: RefreshTicket) => refreshTokenMac(`${sessionId}.${generation}`)
  return {
    make: (ticket: RefreshTicket): string =>
      `wlr_${ticket.sessionId}.${ticket.generation}.${proofOf(ticket)}`,

    /** Undefined when it is not ours. */
    read(token: string): RefreshTicket | undefined {
      const [, sessionId = '', number = '', proof = ''] =
        /^wlr_([0-9a-f-]{36})\.([1-9]\d{0,8})\.([0-9a-f]{64})$/.exec(token) ?? []
      const ticket = { sessionId, generation: Number(number) }
      const expected = Buffer.from(proofOf(ticket), 'hex')
      const given = Buffer.from(proof, 'hex')
      return given.length === expected.length && timingSafeEqual(given, expected) ? ticket : undefined
    },
  }
}
export type RefreshTokens = ReturnType<typeof createRefreshTokens>
