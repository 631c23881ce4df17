import type { Knex } from 'knex'
import type { ApnsEnvironment } from '../push/push.ts'

export type TokenKind = 'apns' | 'apns_voip' | 'fcm'

export function createDeviceTokenStore(db: Knex) {
  return {
    /** The device of the extension with this key or with one of these tokens, dead or alive: it speaks, so it is there. */
    async deviceOf(
      tenantId: string,
      extension: string,
      by: { deviceKey?: string | undefined; tokenHashes: readonly string[] },
    ): Promise<string | undefined> {
      const row = await db('devices')
        .join('extensions', 'extensions.id', 'devices.extension_id')
        .leftJoin('device_tokens', 'device_tokens.device_id', 'devices.id')
        .first('devices.id as id')
        .where({ 'devices.tenant_id': tenantId, 'extensions.number': extension })
        .where((named) => {
          if (by.deviceKey !== undefined) named.orWhere('devices.device_key', by.deviceKey)
          if (by.tokenHashes.length > 0) named.orWhereIn('device_tokens.token_hash', by.tokenHashes)
        })
      return row?.id as string | undefined
    },

    /** Gives the token to this device, wherever it was before; a later login owns the phone. */
    async put(token: {
      id: string
      deviceId: string
      kind: TokenKind
      environment: ApnsEnvironment
      tokenHash: string
      tokenSealed: string
      registeredAt: Date
    }): Promise<void> {
      const { deviceId, kind, environment, tokenHash } = token
      await db('device_tokens')
        .where({ kind, environment, token_hash: tokenHash })
        .whereNot({ device_id: deviceId })
        .del()
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

    /**
     * Marks a token dead if it was last registered before `deadSince` and is still that token; a registration of the same
     * moment wins, because a phone that just spoke to us is alive. Returns whether it was marked now.
     */
    async invalidate(dead: {
      kind: TokenKind
      environment: ApnsEnvironment
      tokenHash: string
      deadSince: Date
      reason: string
    }): Promise<boolean> {
      const marked = await db('device_tokens')
        .where({ kind: dead.kind, environment: dead.environment, token_hash: dead.tokenHash })
        .where('registered_at', '<', dead.deadSince)
        .whereNull('invalidated_at')
        .update({ invalidated_at: db.fn.now(), invalid_reason: dead.reason })
      return marked > 0
    },
  }
}
export type DeviceTokenStore = ReturnType<typeof createDeviceTokenStore>
