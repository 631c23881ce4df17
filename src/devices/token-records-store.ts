import type { Knex } from 'knex'
import { createDeviceTokenStore, type DeviceTokenStore } from './device-token-store.ts'
import { createTokenEvidenceStore, type TokenEvidenceStore } from './token-evidence-store.ts'
import type { Announce } from './token-verdict.ts'
import { createTokenVerdictStore, type TokenVerdictStore } from './token-verdict-store.ts'

/** All that is known of tokens: where they are registered, what is held against them, what was delivered. */
export interface TokenRecords {
  tokens: DeviceTokenStore
  verdicts: TokenVerdictStore
  evidence: TokenEvidenceStore
  /** Tells the owner, together with what is changed. */
  announce: Announce
}

const recordsOf = (db: Knex, announceIn: (db: Knex) => Announce): TokenRecords => ({
  tokens: createDeviceTokenStore(db),
  verdicts: createTokenVerdictStore(db),
  evidence: createTokenEvidenceStore(db),
  announce: announceIn(db),
})

/**
 * Registrations, accusations and moves of one token must not see each other half done.
 *
 * @param announceIn what tells owners within a transaction
 */
export function createTokenRecords(db: Knex, announceIn: (db: Knex) => Announce) {
  const together = <T>(work: (records: TokenRecords) => Promise<T>): Promise<T> =>
    db.transaction((trx) => work(recordsOf(trx, announceIn)))
  return {
    ...recordsOf(db, announceIn),
    /** All or nothing. */
    together,
    /** All or nothing, and nobody else changes anything about the token meanwhile. */
    alone: <T>(tokenHash: string, work: (records: TokenRecords) => Promise<T>): Promise<T> =>
      together(async (records) => {
        await records.tokens.lock([tokenHash])
        return work(records)
      }),
  }
}
export type TokenRecordsStore = ReturnType<typeof createTokenRecords>
