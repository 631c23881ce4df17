import type { Knex } from 'knex'
import { createDeviceTokenStore, type DeviceTokenStore } from './device-token-store.ts'
import { createTokenEvidenceStore, type TokenEvidenceStore } from './token-evidence-store.ts'
import { createTokenVerdictStore, type TokenVerdictStore } from './token-verdict-store.ts'

/** All that is known of tokens: where they are registered, what is held against them, what was delivered. */
export interface TokenRecords {
  tokens: DeviceTokenStore
  verdicts: TokenVerdictStore
  evidence: TokenEvidenceStore
}

const recordsOf = (db: Knex): TokenRecords => ({
  tokens: createDeviceTokenStore(db),
  verdicts: createTokenVerdictStore(db),
  evidence: createTokenEvidenceStore(db),
})

/** Registrations, accusations and moves of one token must not see each other half done. */
export function createTokenRecords(db: Knex) {
  const together = <T>(work: (records: TokenRecords) => Promise<T>): Promise<T> =>
    db.transaction((trx) => work(recordsOf(trx)))
  return {
    ...recordsOf(db),
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
