import { randomUUID } from 'node:crypto'
import * as pushLogsByDay from '../../migrations/20261121090000-push-logs-by-day.ts'
import * as sipDomains from '../../migrations/20261127010000-sip-domains.ts'
import { migrations } from '../../migrations/index.ts'
import { openDatabase } from '../../src/db/database.ts'
import { revertTables } from '../../src/db/migrate.ts'
import { DAY } from '../../src/lib/units.ts'
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
