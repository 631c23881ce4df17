import type { Knex } from 'knex'
import { newId } from '../lib/ids.ts'
import type { ApnsEnvironment } from '../push/push.ts'
import { createDeviceTokenStore, type TokenKind } from './device-token-store.ts'

export interface NewDevice {
  tenantId: string
  extensionId: number
  /** Chosen by the app, unique within the tenant. */
  deviceKey: string
  appId: string
  name?: string | undefined
  tokens: readonly SealedToken[]
}
export interface SealedToken {
  kind: TokenKind
  environment: ApnsEnvironment
  tokenHash: string
  tokenSealed: string
  registeredAt: Date
}

export function createDeviceStore(db: Knex) {
  return {
    /**
     * Stores a device and its tokens, all or nothing; returns our id of it. A device that is known moves to the extension: a
     * person who logs in on a phone takes it over. Repeating it changes only the times.
     */
    register: (device: NewDevice): Promise<string> =>
      db.transaction(async (trx) => {
        const deviceId = await put(trx, device)
        const tokens = createDeviceTokenStore(trx)
        for (const token of device.tokens) await tokens.put({ ...token, id: newId(), deviceId })
        return deviceId
      }),
  }
}
export type DeviceStore = ReturnType<typeof createDeviceStore>

async function put(db: Knex, device: NewDevice): Promise<string> {
  const given = device.name === undefined ? {} : { name: device.name }
  const [row] = await db('devices')
    .insert({
      id: newId(),
      tenant_id: device.tenantId,
      extension_id: device.extensionId,
      device_key: device.deviceKey,
      app_id: device.appId,
      ...given,
    })
    .onConflict(['tenant_id', 'device_key'])
    .merge({ extension_id: device.extensionId, app_id: device.appId, last_seen_at: db.fn.now(), ...given })
    .returning('id')
  return row.id as string
}
