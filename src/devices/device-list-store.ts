import type { Knex } from 'knex'
import type { ApnsEnvironment, TokenKind } from '../push/push.ts'
import { APART } from './device-owner-store.ts'

export interface ListedToken {
  id: string
  kind: TokenKind
  environment: ApnsEnvironment
  tokenHash: string
  tokenSealed: string
  registeredAt: Date
  /** No provider has said that it is dead. */
  isLive: boolean
}

export interface ListedDevice {
  id: string
  /** As the app calls it. */
  deviceId: string
  /** As sessions know it. */
  deviceKey: string
  platform: string
  appId: string
  name: string
  appVersion: string
  locale: string
  createdAt: Date
  lastSeenAt: Date
  tokens: ListedToken[]
}

interface Owner {
  tenantId: string
  extensionId: number
}

/** The phones of one extension, as their owner sees them. */
export function createDeviceListStore(db: Knex) {
  const owned = ({ tenantId, extensionId }: Owner) =>
    db('devices').where({ tenant_id: tenantId, extension_id: extensionId })

  return {
    /** The last seen first. */
    async list(owner: Owner): Promise<ListedDevice[]> {
      const devices: DeviceRow[] = await owned(owner)
        .select(...COLUMNS)
        .orderBy('last_seen_at', 'desc')
        .orderBy('id')
      const tokens: TokenRow[] = await db('device_tokens')
        .select('id', 'device_id', 'kind', 'environment', 'token_hash', 'token_sealed')
        .select('registered_at', 'invalidated_at')
        .whereIn(
          'device_id',
          devices.map(({ id }) => id),
        )
        .orderBy('kind')
      return devices.map((device) => fromRows(device, tokens))
    },

    /** With its tokens, and whoever is logged in on it is out. False when the extension has no such device. */
    remove: (owner: Owner, id: string, now: Date): Promise<boolean> =>
      db.transaction(async (trx) => {
        const [device] = await owned(owner).transacting(trx).where({ id }).delete().returning('device_key')
        if (!device) return false
        await trx('app_sessions')
          .where({
            tenant_id: owner.tenantId,
            extension_id: owner.extensionId,
            device_key: device.device_key,
          })
          .whereNull('revoked_at')
          .update({ revoked_at: now, revoked_why: 'device' })
        return true
      }),

    /** False when the extension's device has no such token. */
    async removeToken(owner: Owner, { id, tokenId }: { id: string; tokenId: string }): Promise<boolean> {
      const device = owned(owner).select('id').where({ id })
      const gone = await db('device_tokens').where({ id: tokenId }).whereIn('device_id', device).delete()
      return gone === 1
    },

    /** The session is that of this device from now on: it ends with it, and those of earlier logins on the device end now. */
    bindSession: (owner: Owner, sessionId: string, deviceKey: string, now: Date): Promise<void> =>
      db.transaction(async (trx) => {
        const sessions = () =>
          trx('app_sessions').where({ tenant_id: owner.tenantId, extension_id: owner.extensionId })
        const [own] = await sessions()
          .where({ id: sessionId })
          .update({ device_key: deviceKey })
          .returning('created_at')
        if (!own) return
        await sessions()
          .where({ device_key: deviceKey })
          .whereNot({ id: sessionId })
          .where('created_at', '<=', own.created_at)
          .whereNull('revoked_at')
          .update({ revoked_at: now, revoked_why: 'device' })
      }),
  }
}
export type DeviceListStore = ReturnType<typeof createDeviceListStore>

const COLUMNS = [
  'id',
  'device_key',
  'platform',
  'app_id',
  'name',
  'app_version',
  'locale',
  'created_at',
  'last_seen_at',
] as const

interface DeviceRow {
  id: string
  device_key: string
  platform: string
  app_id: string
  name: string
  app_version: string
  locale: string
  created_at: Date
  last_seen_at: Date
}
interface TokenRow {
  id: string
  device_id: string
  kind: TokenKind
  environment: ApnsEnvironment
  token_hash: string
  token_sealed: string
  registered_at: Date
  invalidated_at: Date | null
}

const fromRows = (device: DeviceRow, tokens: readonly TokenRow[]): ListedDevice => ({
  id: device.id,
  deviceId: device.device_key.replace(APART, ''),
  deviceKey: device.device_key,
  platform: device.platform,
  appId: device.app_id,
  name: device.name,
  appVersion: device.app_version,
  locale: device.locale,
  createdAt: device.created_at,
  lastSeenAt: device.last_seen_at,
  tokens: tokens
    .filter((token) => token.device_id === device.id)
    .map((token) => ({
      id: token.id,
      kind: token.kind,
      environment: token.environment,
      tokenHash: token.token_hash,
      tokenSealed: token.token_sealed,
      registeredAt: token.registered_at,
      isLive: token.invalidated_at === null,
    })),
})
