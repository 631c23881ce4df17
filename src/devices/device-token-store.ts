import type { Knex } from 'knex'
import type { ApnsEnvironment, TokenKind } from '../push/push.ts'

/** Which token; no two devices have the same one. */
export interface TokenId {
  kind: TokenKind
  environment: ApnsEnvironment
  tokenHash: string
}

/** Where a token of ours is registered. */
export interface TokenRegistration {
  deviceId: string
  extension: string
  /** Milliseconds since the epoch. */
  registeredAt: number
}

/** The token of a device that nobody has seen for long, still sealed. */
export interface StaleToken extends TokenId {
  id: string
  tokenSealed: string
  tenantId: string
  deviceId: string
  appId: string
  extension: string
}

export function createDeviceTokenStore(db: Knex) {
  return {
    /**
     * Until the transaction ends nobody else changes anything about these tokens (or whatever else is named), also where they have
     * no row yet. In one order for all, so that two who want the same tokens do not wait for each other.
     */
    async lock(tokenHashes: readonly string[]): Promise<void> {
      await db.raw(
        `SELECT pg_advisory_xact_lock(key) FROM (
           SELECT DISTINCT hashtextextended(hash, ?) AS key FROM unnest(?::text[]) AS hash ORDER BY key
         ) AS sorted`,
        [LOCK_SEED, [...tokenHashes]],
      )
    },

    /**
     * The device of the extension with this key or with one of these tokens, dead or alive: it speaks, so it is there. Noted
     * once a day, because phones register every few minutes.
     */
    async deviceOf(
      tenantId: string,
      extension: string,
      by: { deviceKey?: string | undefined; tokenHashes: readonly string[] },
    ): Promise<string | undefined> {
      // From the extension on: a call waits for this, and a PBX may have thousands of phones.
      const { rows } = await db.raw<{ rows: { id: string; is_news: boolean }[] }>(
        `SELECT d.id, d.last_seen_at < now() - interval '1 day' AS is_news
         FROM extensions e JOIN devices d ON d.extension_id = e.id
         WHERE e.tenant_id = :tenantId AND e.number = :extension AND (
           -- The second form where its key was another one's already.
           d.device_key IN (CAST(:deviceKey AS text), '::' || e.id || '::' || CAST(:deviceKey AS text))
           OR EXISTS (SELECT FROM device_tokens t WHERE t.device_id = d.id AND t.token_hash = ANY (CAST(:tokenHashes AS text[])))
         ) LIMIT 1`,
        { tenantId, extension, deviceKey: by.deviceKey ?? null, tokenHashes: [...by.tokenHashes] },
      )
      const [row] = rows
      if (row?.is_news) await db('devices').where({ id: row.id }).update({ last_seen_at: db.fn.now() })
      return row?.id
    },

    /** The environment in which the token is registered, by whomever. */
    async environmentOf({
      kind,
      tokenHash,
    }: Pick<TokenId, 'kind' | 'tokenHash'>): Promise<ApnsEnvironment | undefined> {
      const row = await db('device_tokens')
        .first('environment')
        .where({ kind, token_hash: tokenHash })
        .orderBy('registered_at', 'desc')
      return row?.environment
    },

    /** Gives the token to this device, wherever it was before and in whatever environment; a later login owns the phone. */
    async put(
      token: TokenId & { id: string; deviceId: string; tokenSealed: string; registeredAt: Date },
    ): Promise<void> {
      const { deviceId, kind, environment, tokenHash } = token
      await db('device_tokens').where({ kind, token_hash: tokenHash }).whereNot({ device_id: deviceId }).del()
      await db('device_tokens')
        .insert({
          id: token.id,
          device_id: deviceId,
          kind,
          environment,
          token_hash: tokenHash,
          token_sealed: token.tokenSealed,
          registered_at: token.registeredAt,
        })
        .onConflict(['device_id', 'kind'])
        .merge({
          environment,
          token_hash: tokenHash,
          token_sealed: token.tokenSealed,
          registered_at: token.registeredAt,
          invalidated_at: null,
          invalid_reason: null,
        })
    },

    /** Where the tenant has registered this token for this app; the row stays as it is until the transaction ends. */
    async registrationOf(
      { kind, environment, tokenHash }: TokenId,
      owner: { tenantId: string; appId: string },
    ): Promise<TokenRegistration | undefined> {
      const row = await db('device_tokens as t')
        .join('devices as d', 'd.id', 't.device_id')
        .join('extensions as e', 'e.id', 'd.extension_id')
        .first('t.device_id', 'e.number', 't.registered_at')
        .where({ 't.kind': kind, 't.environment': environment, 't.token_hash': tokenHash })
        .where({ 'd.tenant_id': owner.tenantId, 'd.app_id': owner.appId })
        .forUpdate('t')
      return (
        row && { deviceId: row.device_id, extension: row.number, registeredAt: row.registered_at.getTime() }
      )
    },

    /**
     * Marks a token dead if it was last registered before `deadSince` and is still that token; a registration of the same
     * moment wins, because a phone that just spoke to us is alive. Returns whether it was marked now.
     */
    async invalidate({
      kind,
      environment,
      tokenHash,
      deadSince,
      reason,
    }: TokenId & { deadSince: Date; reason: string }): Promise<boolean> {
      const marked = await db('device_tokens')
        .where({ kind, environment, token_hash: tokenHash })
        .where('registered_at', '<', deadSince)
        .whereNull('invalidated_at')
        .update({ invalidated_at: db.fn.now(), invalid_reason: reason })
      return marked > 0
    },

    /**
     * The token belongs to Apple's other gateway. If a device is registered with it there, too, the later of the two
     * registrations stays and the other one goes.
     */
    async move(
      { kind, environment, tokenHash }: TokenId,
      deviceId: string,
      to: ApnsEnvironment,
    ): Promise<void> {
      const own = { device_id: deviceId, kind, environment, token_hash: tokenHash }
      const there = { kind, environment: to, token_hash: tokenHash }
      const registeredHere = db('device_tokens').select('registered_at').where(own)
      await db('device_tokens').where(there).where('registered_at', '<', registeredHere).del()
      await db('device_tokens')
        .where(own)
        .whereExists(db('device_tokens').select(db.raw('1')).where(there))
        .del()
      await db('device_tokens').where(own).update({ environment: to })
    },

    /** Tokens of devices unseen since `before`, the longest unseen first. Those that somebody is just changing are left out. */
    async stale(before: Date, limit: number): Promise<StaleToken[]> {
      const rows = await db('devices as d')
        .join('device_tokens as t', 't.device_id', 'd.id')
        .join('extensions as e', 'e.id', 'd.extension_id')
        .select('t.id', 't.kind', 't.environment', 't.token_hash', 't.token_sealed')
        .select('d.id as device_id', 'd.tenant_id', 'd.app_id', 'e.number')
        .where('d.last_seen_at', '<', before)
        .whereNull('t.invalidated_at')
        .orderBy('d.last_seen_at')
        .limit(limit)
        .forUpdate('d', 't')
        .skipLocked()
      return rows.map(toStale)
    },

    /** Marks tokens dead by the ids of their rows, which the transaction has locked. */
    async invalidateRows(ids: readonly string[], reason: string): Promise<void> {
      await db('device_tokens')
        .whereIn('id', ids)
        .update({ invalidated_at: db.fn.now(), invalid_reason: reason })
    },
  }
}
export type DeviceTokenStore = ReturnType<typeof createDeviceTokenStore>

/** Any number that no other user of PostgreSQL's advisory locks starts from. */
const LOCK_SEED = 5_223

interface StaleRow {
  id: string
  kind: TokenKind
  environment: ApnsEnvironment
  token_hash: string
  token_sealed: string
  device_id: string
  tenant_id: string
  app_id: string
  number: string
}

const toStale = (row: StaleRow): StaleToken => ({
  id: row.id,
  kind: row.kind,
  environment: row.environment,
  tokenHash: row.token_hash,
  tokenSealed: row.token_sealed,
  deviceId: row.device_id,
  tenantId: row.tenant_id,
  appId: row.app_id,
  extension: row.number,
})
