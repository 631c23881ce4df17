import type { Knex } from 'knex'
import { newId } from '../lib/ids.ts'
import { createDeviceTokenStore, type TokenId } from './device-token-store.ts'
import { createTokenVerdictStore } from './token-verdict-store.ts'

export interface NewDevice {
  tenantId: string
  extensionId: number
  /** Chosen by the app, unique within the tenant. */
  deviceKey: string
  appId: string
  name?: string | undefined
  tokens: readonly SealedToken[]
}
export interface SealedToken extends TokenId {
  tokenSealed: string
  registeredAt: Date
}

/** More phones than a person has; what goes beyond are installations that are gone and never said so. */
export const MAX_DEVICES = 10

export function createDeviceStore(db: Knex) {
  return {
    /**
     * Stores a device and its tokens, all or nothing; returns our id of it. A device that is known moves to the extension: a
     * person who logs in on a phone takes it over. Repeating it changes only the times. Whatever was held against the tokens is
     * forgotten, and of too many devices the longest unseen goes.
     */
    register: (device: NewDevice): Promise<string> => withoutDeadlock(() => register(db, device)),
  }
}
export type DeviceStore = ReturnType<typeof createDeviceStore>

const register = (db: Knex, device: NewDevice): Promise<string> =>
  db.transaction(async (trx) => {
    const [tokens, verdicts] = [createDeviceTokenStore(trx), createTokenVerdictStore(trx)]
    await tokens.lock(device.tokens.map(({ tokenHash }) => tokenHash))
    // Two registrations of one extension count its devices one after the other.
    await trx('extensions').select('id').where({ id: device.extensionId }).forNoKeyUpdate()
    const deviceId = await put(trx, device)
    for (const token of device.tokens) {
      await tokens.put({ ...token, id: newId(), deviceId })
      await verdicts.clear(device.tenantId, token)
    }
    await evict(trx, device.extensionId, deviceId)
    return deviceId
  })

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

/** A device that is locked is on its way to another extension, and none of this one any more. */
async function evict(db: Knex, extensionId: number, newcomer: string): Promise<void> {
  const longestUnseen = db('devices')
    .select('id')
    .where({ extension_id: extensionId })
    .whereNot({ id: newcomer })
    .orderBy('last_seen_at', 'desc')
    .orderBy('id')
    .offset(MAX_DEVICES - 1)
    .forUpdate()
    .skipLocked()
  await db('devices').whereIn('id', longestUnseen).del()
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const DEADLOCK_DETECTED = '40P01'
const TRIES = 3

/** Two phones that swap their tokens wait for each other, until PostgreSQL ends one of them; that one goes again. */
async function withoutDeadlock<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work()
    } catch (error) {
      if ((error as { code?: unknown }).code !== DEADLOCK_DETECTED || tried === TRIES) throw error
    }
  }
}
