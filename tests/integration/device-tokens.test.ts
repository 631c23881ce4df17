import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { createDeviceStore } from '../../src/devices/device-store.ts'
import { createDeviceTokenStore } from '../../src/devices/device-token-store.ts'
import { createExtensionStore } from '../../src/devices/extension-store.ts'
import { createPhoneStore } from '../../src/devices/phone-store.ts'
import { newId } from '../../src/lib/ids.ts'
import { cloneDatabase, type TestDatabase } from '../support/databases.ts'

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
