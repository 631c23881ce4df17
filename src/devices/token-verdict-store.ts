import type { Knex } from 'knex'
import type { TokenId } from './device-token-store.ts'
import type { TokenVerdict } from './token-verdict.ts'

/** A place in the list of verdicts: that of its last entry. */
export interface VerdictPlace {
  /** Milliseconds since the epoch. */
  lastAt: number
  tokenSha256: string
  kind: string
  environment: string
}

/** A row per tenant and token that something is held against. */
export function createTokenVerdictStore(db: Knex) {
  return {
    async find(
      tenantId: string,
      { kind, environment, tokenHash }: TokenId,
    ): Promise<TokenVerdict | undefined> {
      const row = await db<VerdictRow>('token_verdicts')
        .first(...COLUMNS)
        .where({ tenant_id: tenantId, kind, environment, token_hash: tokenHash })
      return row && fromRow(row)
    },

    /** In place of what was said of these tokens before. */
    async put(verdicts: readonly TokenVerdict[]): Promise<void> {
      if (verdicts.length === 0) return
      await db('token_verdicts')
        .insert(verdicts.map(toRow))
        .onConflict(['tenant_id', 'kind', 'environment', 'token_hash'])
        .merge()
    },

    /** Takes back what is held against a token in either environment; returns what that was. */
    async clear(
      tenantId: string,
      { kind, tokenHash }: Pick<TokenId, 'kind' | 'tokenHash'>,
    ): Promise<TokenVerdict[]> {
      const rows = await db<VerdictRow>('token_verdicts')
        .where({ tenant_id: tenantId, kind, token_hash: tokenHash })
        .del()
        .returning([...COLUMNS])
      return rows.map(fromRow)
    },

    /** The verdicts of a tenant since a moment, the oldest change first. */
    async list(
      tenantId: string,
      { since, after, limit }: { since?: Date; after?: VerdictPlace; limit: number },
    ): Promise<TokenVerdict[]> {
      const rows = await db<VerdictRow>('token_verdicts')
        .select(...COLUMNS)
        .where({ tenant_id: tenantId })
        .where((later) => {
          if (since) later.where('last_at', '>=', since)
          if (after) later.whereRaw(`(${ORDER}) > (?, ?, ?, ?)`, placeOf(after))
        })
        .orderByRaw(ORDER)
        .limit(limit)
      return rows.map(fromRow)
    },

    /**
     * The newest changes since a moment, without tokens of ours that are dead: nothing is sent to those, so that no delivery can
     * speak for them.
     */
    async contestable(since: Date, limit: number): Promise<{ tokenHash: string; lastAt: number }[]> {
      const rows = await db<VerdictRow>('token_verdicts')
        .select('token_hash', 'last_at')
        .where('last_at', '>=', since)
        .where((alive) => alive.where('state', 'quarantined').orWhereNull('device_id'))
        .orderBy('last_at', 'desc')
        .limit(limit)
      return rows.map((row) => ({ tokenHash: row.token_hash, lastAt: row.last_at.getTime() }))
    },

    /** Forgets verdicts that nobody has repeated since; returns how many. */
    async prune(before: Date, limit: number): Promise<number> {
      const old = db('token_verdicts').select(db.raw('ctid')).where('last_at', '<', before).limit(limit)
      return db('token_verdicts')
        .whereIn(db.raw('ctid') as never, old)
        .del()
    },
  }
}
export type TokenVerdictStore = ReturnType<typeof createTokenVerdictStore>

const ORDER = 'last_at, token_sha256, kind, environment'
const placeOf = ({ lastAt, tokenSha256, kind, environment }: VerdictPlace) => [
  new Date(lastAt),
  tokenSha256,
  kind,
  environment,
]

interface VerdictRow {
  tenant_id: string
  kind: TokenVerdict['kind']
  environment: TokenVerdict['environment']
  token_hash: string
  token_sha256: string
  app_id: string
  device_id: string | null
  extension: string | null
  state: TokenVerdict['state']
  reason: string
  detail: string
  first_at: Date
  last_at: Date
  times: number
}

const COLUMNS = [
  'tenant_id',
  'kind',
  'environment',
  'token_hash',
  'token_sha256',
  'app_id',
  'device_id',
  'extension',
  'state',
  'reason',
  'detail',
  'first_at',
  'last_at',
  'times',
] as const satisfies readonly (keyof VerdictRow)[]

const toRow = (verdict: TokenVerdict): VerdictRow => ({
  tenant_id: verdict.tenantId,
  kind: verdict.kind,
  environment: verdict.environment,
  token_hash: verdict.tokenHash,
  token_sha256: verdict.tokenSha256,
  app_id: verdict.appId,
  device_id: verdict.deviceId ?? null,
  extension: verdict.extension ?? null,
  state: verdict.state,
  reason: verdict.reason,
  detail: verdict.detail,
  first_at: new Date(verdict.firstAt),
  last_at: new Date(verdict.lastAt),
  times: verdict.times,
})

const fromRow = (row: VerdictRow): TokenVerdict => ({
  tenantId: row.tenant_id,
  kind: row.kind,
  environment: row.environment,
  tokenHash: row.token_hash,
  tokenSha256: row.token_sha256,
  appId: row.app_id,
  ...(row.device_id !== null && { deviceId: row.device_id }),
  ...(row.extension !== null && { extension: row.extension }),
  state: row.state,
  reason: row.reason,
  detail: row.detail,
  firstAt: row.first_at.getTime(),
  lastAt: row.last_at.getTime(),
  times: row.times,
})
