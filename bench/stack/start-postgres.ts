import { join } from 'node:path'
import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { startPostgresServer } from '../../src/embedded/postgres-server.ts'
import { migrateDatabase } from '../../src/migrate-database.ts'
import { guardProcess } from '../../tests/support/guard.ts'
import { temporaryDirectory } from '../../tests/support/temporary-directory.ts'

export type PostgresStack = Awaited<ReturnType<typeof startPostgres>>

/** A migrated PostgreSQL of normal durability, and nothing else. */
export async function startPostgres() {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  const directory = opened.use(await openDataDirectory(join(path, 'data')))
  const postgres = opened.use(await startPostgresServer({ directory, durability: 'safe' }))
  opened.defer(guardProcess(postgres.pid))
  await migrateDatabase(postgres.url)
  const running = opened.move()
  return { postgres, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
