import type { Knex } from 'knex'
import { newId } from '../lib/ids.ts'
import { createDeviceOwnerStore, type FormerOwner } from './device-owner-store.ts'
import { createDeviceTokenStore, type TokenId } from './device-token-store.ts'
import { createTokenVerdictStore } from './token-verdict-store.ts'

export interface NewDevice {
  tenantId: string
  extensionId: number
  /** Chosen by the app, unique within the tenant. */
  deviceKey: string
  appId: string
  name?: string | undefined
  platform?: string | undefined
  appVersion?: string | undefined
  locale?: string | undefined
  tokens: readonly SealedToken[]
  /** The app says so and not the PBX: it has to show that the phone is its own. */
  byApp?: boolean
}
export interface SealedToken extends Omit<TokenId, 'environment'> {
  /** Absent: the one that is known of the token, or production. */
  environment?: TokenId['environment'] | undefined
  tokenSealed: string
  registeredAt: Date
}

export interface RegisteredDevice {
  /** Ours. */
  id: string
  /** Under which it is stored. */
  deviceKey: string
  /** Whose phone or token it was until now. */
  left: readonly FormerOwner[]
  /** The extension, when it has lost a phone of its own to make room. */
  evicted?: FormerOwner
}

/** More phones than a person has; what goes beyond are installations that are gone and never said so. */
export const MAX_DEVICES = 10

export function createDeviceStore(db: Knex) {
  return {
    /**
     * Stores a device and its tokens, all or nothing. A device that is known moves to the extension: a person who logs in on a
     * phone takes it over. Repeating it changes only the times. Whatever was held against the tokens is forgotten, and of too
     * many devices the longest unseen goes.
     */
    register: (device: NewDevice): Promise<RegisteredDevice> => withoutDeadlock(() => register(db, device)),
  }
}
export type DeviceStore = ReturnType<typeof createDeviceStore>

const register = (db: Knex, device: NewDevice): Promise<RegisteredDevice> =>
  db.transaction(async (trx) => {
    const tokens = createDeviceTokenStore(trx)
    const key = `${device.tenantId} ${device.deviceKey}`
    await tokens.lock([key, ...device.tokens.map(({ tokenHash }) => tokenHash)])
    // Two registrations of one extension count its devices one after the other.
    const extension = await trx('extensions')
      .first('number')
      .where({ id: device.extensionId })
      .forNoKeyUpdate()
    const { id, deviceKey, left } = await put(trx, device)
    for (const token of device.tokens) {
      const environment = token.environment ?? (await tokens.environmentOf(token)) ?? 'production'
      await tokens.put({ ...token, environment, id: newId(), deviceId: id })
      await createTokenVerdictStore(trx).clear(device.tenantId, token)
    }
    const hasEvicted = await evict(trx, device.extensionId, id)
    const owner = { tenantId: device.tenantId, extension: String(extension?.number) }
    return { id, deviceKey, left, ...(hasEvicted && { evicted: owner }) }
  })

async function put(trx: Knex, device: NewDevice): Promise<RegisteredDevice> {
  const owners = createDeviceOwnerStore(trx)
  const deviceKey = device.byApp ? await owners.keyFor(device) : device.deviceKey
  const claim = { ...device, deviceKey }
  const phones = await owners.others(claim)
  const given = Object.fromEntries(
    Object.entries({
      name: device.name,
      platform: device.platform,
      app_version: device.appVersion,
      locale: device.locale,
    }).filter(([, value]) => value !== undefined),
  )
  const stored = { extension_id: device.extensionId, app_id: device.appId, ...given }
  const [row] = await trx('devices')
    .insert({ id: newId(), tenant_id: device.tenantId, device_key: deviceKey, ...stored })
    .onConflict(['tenant_id', 'device_key'])
    .merge({ last_seen_at: trx.fn.now(), ...stored })
    .returning('id')
  if (phones.length > 0) {
    await owners.endSessionsOfOthers(claim)
    await owners.endSessionsOn(phones)
  }
  const left = new Map(phones.map(({ owner }) => [`${owner.tenantId} ${owner.extension}`, owner]))
  return { id: row.id as string, deviceKey, left: [...left.values()] }
}

/** With who is logged in on it. A device that is locked is on its way to another extension, and none of this one any more. */
async function evict(db: Knex, extensionId: number, newcomer: string): Promise<boolean> {
  const longestUnseen = db('devices')
    .select('id')
    .where({ extension_id: extensionId })
    .whereNot({ id: newcomer })
    .orderBy('last_seen_at', 'desc')
    .orderBy('id')
    .offset(MAX_DEVICES - 1)
    .forUpdate()
    .skipLocked()
  const gone = await db('devices').whereIn('id', longestUnseen).del().returning('device_key')
  if (gone.length === 0) return false
  const phones = gone.map(({ device_key }) => ({ extensionId, deviceKey: String(device_key) }))
  await createDeviceOwnerStore(db).endSessionsOn(phones)
  return true
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
