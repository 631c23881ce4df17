import { revertTables } from '../../src/db/migrate.ts'
import { migrateDatabase } from '../../src/migrate-database.ts'
import { cloneDatabase, query } from '../support/databases.ts'

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
  expect(await migrateDatabase(database.url)).toEqual(['20261121060000-foundation'])
  expect(await tables(database.url)).toEqual(before)
  expect(await migrateDatabase(database.url)).toEqual([])
})

test('nodes that start at the same time take turns', async () => {
  await using database = await cloneDatabase()
  await revertTables(database.url)
  const applied = await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(database.url)))
  expect(applied.flat()).toEqual(['20261121060000-foundation'])
})
