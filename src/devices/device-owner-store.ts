import type { Knex } from 'knex'
import type { TokenKind } from '../push/push.ts'

/** An extension that has lost a phone or a token to another one. */
export interface FormerOwner {
  tenantId: string
  extension: string
}

/** The phone that he loses, or loses a token of. */
export interface FormerPhone {
  owner: FormerOwner
  extensionId: number
  deviceKey: string
}

interface Claim {
  tenantId: string
  extensionId: number
  deviceKey: string
  tokens: readonly { kind: TokenKind; tokenHash: string }[]
}

/** Whose a phone is. All of this holds until the transaction ends, if that has locked the tokens and the device's key. */
export function createDeviceOwnerStore(db: Knex) {
  const withToken = (tokens: Claim['tokens']) =>
    db('device_tokens')
      .select('device_id')
      .whereRaw('(kind, token_hash) IN (SELECT * FROM unnest(?::text[], ?::text[]))', [
        tokens.map(({ kind }) => kind),
        tokens.map(({ tokenHash }) => tokenHash),
      ])

  return {
    /**
     * The key under which an app may register a phone. Its own word, unless that is the phone of somebody else: who takes over a
     * phone holds it in his hand, and then he has one of its tokens. Anybody else gets another phone, and learns nothing.
     */
    async keyFor({ tenantId, extensionId, deviceKey, tokens }: Claim): Promise<string> {
      const apart = keyApart(extensionId, deviceKey)
      const rows = await db('devices')
        .select('id', 'extension_id', 'device_key')
        .where({ tenant_id: tenantId })
        .whereIn('device_key', [deviceKey, apart])
      const named = rows.find(({ device_key }) => device_key === deviceKey)
      if (named && named.extension_id !== extensionId) {
        const proof = await withToken(tokens).where({ device_id: named.id }).first()
        return proof ? deviceKey : apart
      }
      // Once apart, always apart: or the same phone would be there twice.
      return !named && rows.length > 0 ? apart : deviceKey
    },

    /** Who has the phone or one of the tokens now, other than the extension, and on which of his phones. */
    async others({ tenantId, extensionId, deviceKey, tokens }: Claim): Promise<FormerPhone[]> {
      const rows = await db('devices as d')
        .join('extensions as e', 'e.id', 'd.extension_id')
        .select('e.tenant_id', 'e.number', 'd.extension_id', 'd.device_key')
        .whereNot({ 'd.extension_id': extensionId })
        .where((theirs) => {
          theirs.where({ 'd.tenant_id': tenantId, 'd.device_key': deviceKey })
          theirs.orWhereIn('d.id', withToken(tokens))
        })
      return rows.map((row) => ({
        owner: { tenantId: row.tenant_id, extension: row.number },
        extensionId: row.extension_id,
        deviceKey: row.device_key,
      }))
    },

    /** Who is logged in on these phones is out. */
    async endSessionsOn(phones: readonly Pick<FormerPhone, 'extensionId' | 'deviceKey'>[]): Promise<void> {
      await db('app_sessions')
        .whereRaw('(extension_id, device_key) IN (SELECT * FROM unnest(?::bigint[], ?::text[]))', [
          phones.map(({ extensionId }) => extensionId),
          phones.map(({ deviceKey }) => deviceKey),
        ])
        .whereNull('revoked_at')
        .update({ revoked_at: db.fn.now(), revoked_why: 'device' })
    },

    /** Whoever else was logged in on the phone, also before anybody registered it, is out. */
    async endSessionsOfOthers({ tenantId, extensionId, deviceKey }: Claim): Promise<void> {
      await db('app_sessions')
        .where({ tenant_id: tenantId, device_key: deviceKey })
        .whereNot({ extension_id: extensionId })
        .whereNull('revoked_at')
        .update({ revoked_at: db.fn.now(), revoked_why: 'device' })
    },
  }
}

const keyApart = (extensionId: number, deviceKey: string): string => `::${extensionId}::${deviceKey}`
/** No id of an app may look like one that we have set apart. */
export const APART = /^::\d+::/
