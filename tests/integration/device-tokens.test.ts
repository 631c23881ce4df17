import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { createDeviceStore } from '../../src/devices/device-store.ts'
import { createDeviceTokenStore } from '../../src/devices/device-token-store.ts'
import { createExtensionStore } from '../../src/devices/extension-store.ts'
import { createPhoneStore } from '../../src/devices/phone-store.ts'
import { newId } from '../../src/lib/ids.ts'
import type { TokenKind } from '../../src/push/push.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase, type TestDatabase } from '../support/databases.ts'
import { isSomebodyWaiting } from '../support/token-books.ts'

/** The life of a token in a real table: no order of register, send and answer may cost a living phone its token. */
let database: TestDatabase
let db: Knex
let tenantId: string
let extensionId: number

beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url)
  tenantId = newId()
  await db('tenants').insert({ id: tenantId, name: 'test' })
  extensionId = (await createExtensionStore(db).put(tenantId, '100', {})).id
})
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

const hash = () => randomBytes(32).toString('hex')
const register = (deviceKey: string, tokenHash: string, at: number) =>
  createDeviceStore(db).register({
    tenantId,
    extensionId,
    deviceKey,
    appId: 'default',
    tokens: [
      {
        kind: 'apns_voip',
        environment: 'production',
        tokenHash,
        tokenSealed: 'sealed',
        registeredAt: new Date(at),
      },
    ],
  })
const kill = (tokenHash: string, deadSince: number) =>
  createDeviceTokenStore(db).invalidate({
    kind: 'apns_voip',
    environment: 'production',
    tokenHash,
    deadSince: new Date(deadSince),
    reason: 'Unregistered',
  })
const live = async () =>
  (await createPhoneStore(db).find(tenantId, '100'))?.tokens.map(({ tokenHash }) => tokenHash) ?? []

test('a token dies when it was dead after we last saw it alive', async () => {
  const token = hash()
  await register('phone-1', token, 1_000)
  expect(await kill(token, 999)).toBe(false)
  expect(await kill(token, 1_000)).toBe(false)
  expect(await live()).toContain(token)
  expect(await kill(token, 1_001)).toBe(true)
  expect(await live()).not.toContain(token)
  expect(await kill(token, 1_001)).toBe(false)
})

test('a registration brings a dead token back, and its successor is not touched by a late answer', async () => {
  const [old, next] = [hash(), hash()]
  await register('phone-2', old, 1_000)
  await kill(old, 2_000)
  await register('phone-2', old, 3_000)
  expect(await live()).toContain(old)
  await register('phone-2', next, 4_000)
  expect(await kill(old, 9_000)).toBe(false)
  expect(await live()).toContain(next)
  expect(await live()).not.toContain(old)
})

test('a token has one owner: the device that registered it last', async () => {
  const token = hash()
  await register('phone-3', token, 1_000)
  await register('phone-4', token, 2_000)
  const rows = await db('device_tokens')
    .where({ token_hash: token })
    .join('devices', 'devices.id', 'device_id')
    .select('device_key')
  expect(rows).toEqual([{ device_key: 'phone-4' }])
})

test('in any order of events a token is live exactly when its last registration is not older than its death', async () => {
  const event = fc.record({ kind: fc.constantFrom('register', 'dead'), at: fc.integer({ min: 1, max: 8 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 6 }), async (events) => {
      const [token, device] = [hash(), `phone-${hash()}`]
      await register(device, token, 5)
      let registeredAt = 5
      let alive = true
      for (const { kind, at } of events) {
        if (kind === 'register') {
          await register(device, token, at)
          registeredAt = at
          alive = true
        } else {
          const dies: boolean = alive && registeredAt < at
          expect(await kill(token, at)).toBe(dies)
          alive &&= !dies
        }
      }
      expect((await live()).includes(token)).toBe(alive)
    }),
    { numRuns: 40 },
  )
})

test('phones of many extensions are found in one look, each for its tenant', async () => {
  const phones = createPhoneStore(db)
  const other = newId()
  await db('tenants').insert({ id: other, name: 'other' })
  await createExtensionStore(db).put(other, '100', { dnd: true })
  await createExtensionStore(db).put(tenantId, '200', {})
  const token = hash()
  await register('phone-5', token, 1_000)
  const [own, again, empty, foreign, none] = await Promise.all([
    phones.find(tenantId, '100'),
    phones.find(tenantId, '100'),
    phones.find(tenantId, '200'),
    phones.find(other, '100'),
    phones.find(tenantId, '999'),
  ])
  expect(own?.tokens.map(({ tokenHash }) => tokenHash)).toContain(token)
  expect(again).toEqual(own)
  expect(empty).toEqual({ dnd: false, tokens: [] })
  expect(foreign).toEqual({ dnd: true, tokens: [] })
  expect(none).toBeUndefined()
})

const devicesOf = (extension: number) =>
  db('devices').where({ extension_id: extension }).orderBy('device_key').pluck('device_key')
const newExtension = async () => (await createExtensionStore(db).put(tenantId, `e-${hash()}`, {})).id
const token = (tokenHash: string, kind: TokenKind = 'apns_voip') =>
  ({ kind, environment: 'production', tokenHash, tokenSealed: 'sealed', registeredAt: new Date() }) as const
const registerOn = async (extension: number, deviceKey: string, ...tokens: ReturnType<typeof token>[]) => {
  const device = { tenantId, extensionId: extension, deviceKey, appId: 'default', tokens }
  return (await createDeviceStore(db).register(device)).id
}

test('of many who register one token at the same moment exactly one has it, and none is refused', async () => {
  for (let i = 0; i < 5; i += 1) {
    const shared = hash()
    const extensions = await Promise.all([newExtension(), newExtension()])
    const registered = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        registerOn(extensions[n % 2] ?? 0, `phone-${hash()}`, token(shared), token(hash(), 'fcm')),
      ),
    )
    const owners = await db('device_tokens').where({ token_hash: shared }).pluck('device_id')
    expect(owners).toHaveLength(1)
    expect(registered).toContain(owners[0])
  }
})

test('phones that swap their tokens at the same moment are not refused', async () => {
  const extensions = [await newExtension(), await newExtension()]
  const keys = [`phone-${hash()}`, `phone-${hash()}`]
  const tokens = [token(hash()), token(hash())]
  for (let i = 0; i < 6; i += 1) {
    await Promise.all(
      [0, 1].map((n) => registerOn(extensions[n] ?? 0, keys[n] ?? '', tokens[(i + n) % 2] ?? token(hash()))),
    )
  }
  const rows = await db('device_tokens')
    .join('devices', 'devices.id', 'device_id')
    .whereIn('device_key', keys)
    .pluck('token_hash')
  expect(new Set(rows).size).toBe(rows.length)
})

test('the longest unseen phone goes when an extension gets an eleventh', async () => {
  const extension = await newExtension()
  const keys = Array.from({ length: 10 }, (_, n) => `phone-${n}-${hash()}`)
  const tokens = keys.map(() => token(hash()))
  for (const [n, key] of keys.entries()) await registerOn(extension, key, tokens[n] ?? token(hash()))
  for (const [n, key] of keys.entries()) {
    const seen = new Date(Date.now() - (n === 6 ? 100 : n) * 1_000)
    await db('devices').where({ device_key: key }).update({ last_seen_at: seen })
  }
  // One of the ten again is none too many.
  await registerOn(extension, keys[0] ?? '', tokens[0] ?? token(hash()))
  expect(await devicesOf(extension)).toEqual(keys)
  await registerOn(extension, 'zzz-newcomer', token(hash()))
  expect(await devicesOf(extension)).toEqual([...keys.filter((_, n) => n !== 6), 'zzz-newcomer'])
  expect(await db('device_tokens').where({ token_hash: tokens[6]?.tokenHash })).toEqual([])
})

test('a burst of twenty phones leaves ten, and every one of the twenty was taken', async () => {
  const extension = await newExtension()
  const ids = await Promise.all(
    Array.from({ length: 20 }, () => registerOn(extension, `phone-${hash()}`, token(hash()))),
  )
  expect(new Set(ids).size).toBe(20)
  expect(await devicesOf(extension)).toHaveLength(10)
})

test('a phone that is just being registered counts, though nobody sees it yet', async () => {
  const extension = await newExtension()
  for (let i = 0; i < 10; i += 1) await registerOn(extension, `phone-${hash()}`, token(hash()))
  let settled = false
  const second = await db.transaction(async (trx) => {
    const device = { tenantId, extensionId: extension, deviceKey: `phone-${hash()}`, appId: 'default' }
    await createDeviceStore(trx).register({ ...device, tokens: [token(hash())] })
    const registering = registerOn(extension, `phone-${hash()}`, token(hash())).finally(() => {
      settled = true
    })
    await until(async () => settled || (await isSomebodyWaiting(db)), {
      description: 'the second one waits for the first',
    })
    return { registering }
  })
  await second.registering
  expect(await devicesOf(extension)).toHaveLength(10)
})

test('a phone that moves between full extensions is on one of them', async () => {
  const [one, other] = [await newExtension(), await newExtension()]
  const keys = Array.from({ length: 20 }, () => `phone-${hash()}`)
  for (const [n, key] of keys.entries()) await registerOn(n < 10 ? one : other, key, token(hash()))
  const mover = keys[0] ?? ''
  await Promise.all(
    Array.from({ length: 10 }, (_, n) => registerOn(n % 2 === 0 ? other : one, mover, token(hash()))),
  )
  const [here, there] = [await devicesOf(one), await devicesOf(other)]
  expect([...here, ...there].filter((key) => key === mover)).toHaveLength(1)
  expect(here.length).toBeLessThanOrEqual(10)
  expect(there.length).toBeLessThanOrEqual(10)
})

test('a phone gets a call once: at its VoIP token, else its installation id, else its registration token', async () => {
  const extension = await newExtension()
  const { number } = await db('extensions').first('number').where({ id: extension })
  const all = [token(hash(), 'fcm'), token(hash(), 'apns'), token(hash(), 'fcm_fid'), token(hash())]
  const kinds = async (...tokens: typeof all) => {
    await db('device_tokens')
      .whereIn('device_id', db('devices').select('id').where({ extension_id: extension }))
      .del()
    await registerOn(extension, 'phone', ...tokens)
    return (await createPhoneStore(db).find(tenantId, number))?.tokens.map(({ kind }) => kind)
  }
  expect(await kinds(...all)).toEqual(['apns_voip'])
  expect(await kinds(...all.slice(0, 3))).toEqual(['fcm_fid'])
  expect(await kinds(...all.slice(0, 2))).toEqual(['fcm'])
  expect(await kinds(...all.slice(1, 2))).toEqual([])
})

test('a phone that registers with the PBX is seen, which is noted once a day', async () => {
  const extension = await newExtension()
  const { number } = await db('extensions').first('number').where({ id: extension })
  const id = await registerOn(extension, `phone-${hash()}`, token(hash()))
  const { device_key: deviceKey } = await db('devices').first('device_key').where({ id })
  const seenAt = async () => (await db('devices').first('last_seen_at').where({ id })).last_seen_at.getTime()
  const report = () => createDeviceTokenStore(db).deviceOf(tenantId, number, { deviceKey, tokenHashes: [] })
  const setSeen = (hoursAgo: number) =>
    db('devices')
      .where({ id })
      .update({ last_seen_at: new Date(Date.now() - hoursAgo * 3_600_000) })
  await setSeen(23)
  const before = await seenAt()
  expect(await report()).toBe(id)
  expect(await seenAt()).toBe(before)
  await setSeen(25)
  expect(await report()).toBe(id)
  expect(await seenAt()).toBeGreaterThan(before)
})
