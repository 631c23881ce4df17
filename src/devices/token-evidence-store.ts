import type { Knex } from 'knex'
import { DAY } from '../lib/units.ts'
import type { ApnsEnvironment } from '../push/push.ts'
import type { Provider } from '../push/push-kinds.ts'

/** Rows that are looked at before the answer is "no": each look must stay short, however long the log is. */
const MAX_ROWS = 1_000
/** A message may have been accepted before the time in question and delivered in it. */
const REACH_MS = DAY

/** What the push log says for or against a token. */
export function createTokenEvidenceStore(db: Knex) {
  return {
    /** Whether any push to the token was accepted by a provider since then. */
    async wasDelivered(tokenHash: string, since: number): Promise<boolean> {
      return exists(
        db,
        // The index has only a short form of the hash.
        `SELECT state, answered_at FROM push_logs
         WHERE hashtext(token_hash) = hashtext(?) AND token_hash = ? AND accepted_at >= ?
         ORDER BY accepted_at DESC LIMIT ${MAX_ROWS}`,
        [tokenHash, tokenHash, new Date(since - REACH_MS)],
        `state = 'delivered' AND answered_at >= ?`,
        [new Date(since)],
      )
    },

    /** Whether the credentials of the app have worked since then: any push was accepted. Sees only the newest pushes. */
    async appHasWorked(
      { appId, provider, environment }: { appId: string; provider: Provider; environment: ApnsEnvironment },
      since: number,
    ): Promise<boolean> {
      return exists(
        db,
        `SELECT state, app_id, provider, environment FROM push_logs WHERE accepted_at >= ?
         ORDER BY accepted_at DESC LIMIT ${MAX_ROWS * APPS}`,
        [new Date(since)],
        `state = 'delivered' AND app_id = ? AND provider = ? AND environment = ?`,
        [appId, provider, environment],
      )
    },
  }
}
export type TokenEvidenceStore = ReturnType<typeof createTokenEvidenceStore>

/** The log is sorted by time and not by app: an app that sends a tenth of all pushes gets its thousand rows. */
const APPS = 10

async function exists(
  db: Knex,
  newest: string,
  newestValues: readonly unknown[],
  condition: string,
  conditionValues: readonly unknown[],
): Promise<boolean> {
  const { rows } = await db.raw<{ rows: { found: boolean }[] }>(
    // Materialized, so that the rows are looked for as if all of them were wanted: by the index that finds few.
    `WITH newest AS MATERIALIZED (${newest}) SELECT EXISTS (SELECT FROM newest WHERE ${condition}) AS found`,
    [...newestValues, ...conditionValues] as Knex.RawBinding[],
  )
  return rows[0]?.found === true
}
