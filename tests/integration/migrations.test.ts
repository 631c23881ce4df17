import { randomUUID } from 'node:crypto'
import * as pushLogsByDay from '../../migrations/20261121090000-push-logs-by-day.ts'
import * as licenses from '../../migrations/20261121120000-licenses.ts'
import * as sipDomains from '../../migrations/20261127010000-sip-domains.ts'
import { migrations } from '../../migrations/index.ts'
import { openDatabase } from '../../src/db/database.ts'
import { revertTables } from '../../src/db/migrate.ts'
import { newId } from '../../src/lib/ids.ts'
import { DAY } from '../../src/lib/units.ts'
import { createLicenseStore } from '../../src/license/license-store.ts'
import { migrateDatabase } from '../../src/migrate-database.ts'
import { createPushLogStore } from '../../src/push/push-log-store.ts'
import { cloneDatabase, query } from '../support/databases.ts'
import { callPush, endOf } from '../support/logged-pushes.ts'

const all = Object.keys(migrations)
const tables = async (url: string) =>
  (
    await query(
      url,
      `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`,
    )
  ).map((row) => Object.values(row)[0])

test('migrations go down and up again, and a second run changes nothing', async () => {
  await using database = await cloneDatabase()
  const before = await tables(database.url)
  expect(before).toContain('push_logs')
  await revertTables(database.url)
  expect(await tables(database.url)).toEqual(['migrations', 'migrations_lock'])
  expect(await migrateDatabase(database.url)).toEqual(all)
  expect(await tables(database.url)).toEqual(before)
  expect(await migrateDatabase(database.url)).toEqual([])
  expect(await tables(database.url)).toEqual(before)
})

test('nodes that start at the same time take turns', async () => {
  await using database = await cloneDatabase()
  await revertTables(database.url)
  const applied = await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(database.url)))
  expect(applied.flat()).toEqual(all)
})

test('a fresh database has a day of the push log for yesterday, today and a week ahead', async () => {
  await using database = await cloneDatabase()
  const days = Array.from({ length: 9 }, (_, i) =>
    new Date(Date.now() + (i - 1) * DAY).toISOString().slice(0, 10),
  )
  const names = days.map((day) => day.replaceAll('-', ''))
  const found = await tables(database.url)
  for (const table of ['push_logs', 'push_attempts']) {
    expect(found).toEqual(expect.arrayContaining(names.map((name) => `${table}_${name}`)))
  }
})

test('the rows of the push log survive the change to days and back', async () => {
  await using database = await cloneDatabase()
  await using opened = new AsyncDisposableStack()
  const db = opened.adopt(openDatabase(database.url), (open) => open.destroy())
  const pushes = [Date.now(), Date.now() - DAY, Date.now() - 20 * DAY].map((acceptedAt) =>
    callPush({ acceptedAt }),
  )
  const write = () =>
    createPushLogStore(db).close(pushes.map((push) => ({ push, result: endOf(push.id, 'token_dead') })))
  const rows = () =>
    db('push_logs')
      .select('id', 'call_id', 'state', 'accepted_at', 'closed_at')
      .orderBy('accepted_at', 'desc')
  await write()
  const before = await rows()
  expect(before).toHaveLength(3)

  // The same id on another day: only the newest has room in a table without days.
  const [first] = pushes
  const older = { ...callPush(), id: first?.id ?? '' }
  await createPushLogStore(db).open([older])
  await pushLogsByDay.down(db)
  expect(await rows()).toEqual(before)
  await pushLogsByDay.up(db)
  await migrateDatabase(database.url)
  expect(await rows()).toEqual(before)
  const places = await db('push_logs')
    .select(db.raw('tableoid::regclass::text AS place, token_state'))
    .orderBy('place')
  expect(places.map(({ place }) => place.replace(/\d{8}/, 'day'))).toEqual([
    'push_logs_day',
    'push_logs_day',
    'push_logs_default',
  ])
  expect(places.every(({ token_state }) => token_state === 'dead')).toBe(true)
})

test('of tenants that have the same SIP domain, the oldest keeps it', async () => {
  await using database = await cloneDatabase()
  await using opened = new AsyncDisposableStack()
  const db = opened.adopt(openDatabase(database.url), (open) => open.destroy())
  await sipDomains.down(db)
  const tenants = [3, 1, 2].map((day) => ({
    ...{ id: randomUUID(), name: String(day), sip_domain: 'sip.example' },
    created_at: new Date(day * DAY),
  }))
  await db('tenants').insert(tenants)
  await sipDomains.up(db)
  const domains = await db('tenants').select('name', 'sip_domain').orderBy('name')
  expect(domains.map(({ sip_domain }) => sip_domain)).toEqual(['sip.example', '', ''])
  await expect(db('tenants').update({ sip_domain: 'sip.example' })).rejects.toThrow('unique')
})

test('licences survive the change to several keys and back, each with its newest key', async () => {
  await using database = await cloneDatabase()
  await using opened = new AsyncDisposableStack()
  const db = opened.adopt(openDatabase(database.url), (open) => open.destroy())
  const [tenant, rotated, plain, keyless] = [newId(), newId(), newId(), newId()]
  const createdAt = new Date('2026-03-01T10:00:00Z')
  const expiresAt = new Date('2027-03-01T10:00:00Z')
  await db('tenants').insert({ id: tenant, name: 'Acme' })
  const terms = { tenant_id: tenant, created_at: createdAt, expires_at: expiresAt }
  await db('licenses').insert([
    { ...terms, id: rotated, tier: 'standard', max_extensions: 25, max_installations: 5, notes: 'a note' },
    {
      ...terms,
      id: plain,
      tier: 'free',
      max_extensions: 5,
      entitlements: ['calls'],
      suspended_at: createdAt,
    },
    { ...terms, id: keyless, tier: 'free', max_extensions: 5 },
  ])
  const key = (license_id: string, name: string, age: number) => ({
    ...{ id: newId(), license_id, key_hash: `hash-${name}`, key_prefix: `WL-${name}` },
    created_at: new Date(createdAt.getTime() + age * DAY),
  })
  await db('license_keys').insert([key(rotated, 'old', 0), key(rotated, 'new', 30), key(plain, 'only', 0)])
  await db('license_usage').insert({ license_id: plain, day: '2026-03-01', calls: 7 })

  await licenses.down(db)
  const columns = ['id', 'tier', 'max_extensions', 'key_hash', 'key_prefix', 'expires_at'] as const
  const before = await db('licenses')
    .select(...columns)
    .orderBy('max_extensions', 'desc')
  expect(before).toEqual([
    {
      ...{ id: rotated, tier: 'standard', max_extensions: 25, expires_at: expiresAt },
      ...{ key_hash: 'hash-new', key_prefix: 'WL-new' },
    },
    {
      ...{ id: plain, tier: 'free', max_extensions: 5, expires_at: expiresAt },
      ...{ key_hash: 'hash-only', key_prefix: 'WL-only' },
    },
  ])
  // As a gateway of before makes one: what it does not say has a default.
  const first = { key_hash: 'hash-first', key_prefix: 'WL-first' }
  await db('licenses').insert({ id: keyless, tenant_id: tenant, ...first })

  await licenses.up(db)
  const found = createLicenseStore(db)
  const all = ['calls', 'messages', 'webhooks', 'offline']
  expect(await found.findByKeyHash('hash-new')).toEqual({
    ...{ id: rotated, tenantId: tenant, tier: 'standard', maxExtensions: 25, entitlements: all },
    ...{ createdAt: createdAt.getTime(), expiresAt: expiresAt.getTime(), key: { prefix: 'WL-new' } },
  })
  expect(await found.findByKeyHash('hash-only')).toMatchObject({ id: plain, entitlements: all })
  expect(await found.findByKeyHash('hash-first')).toMatchObject({
    id: keyless,
    tier: 'free',
    maxExtensions: 5,
  })
  expect(await found.findByKeyHash('hash-old')).toBeUndefined()
  expect(await db('license_usage').select('license_id')).toEqual([])
  expect(await tables(database.url)).toContain('rate_limits')
})
