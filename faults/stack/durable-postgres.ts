import { join } from 'node:path'
import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { type PostgresServer, startPostgresServer } from '../../src/embedded/postgres-server.ts'
import { guardProcess } from '../../tests/support/guard.ts'
import { signalServer } from '../../tests/support/postgres-server.ts'
import { temporaryDirectory } from '../../tests/support/temporary-directory.ts'

/** A PostgreSQL as in production: what it has committed survives its death. */
export interface DurablePostgres extends AsyncDisposable {
  /** The database `wakeline` as its owner. */
  readonly url: string
  /** As superuser. */
  readonly adminUrl: string
  start(): Promise<void>
  /** The immediate shutdown: every session is cut off, and the next start replays the log. */
  crash(): Promise<void>
  /** Connections stay open and nothing answers, as on a host that hangs. */
  freeze(): Promise<void>
  thaw(): Promise<void>
}

export async function openDurablePostgres(): Promise<DurablePostgres> {
  await using opened = new AsyncDisposableStack()
  const temporary = opened.use(await temporaryDirectory())
  const directory = opened.use(await openDataDirectory(join(temporary.path, 'data')))
  let server: PostgresServer
  let unguard: () => void
  const start = async () => {
    server = await startPostgresServer({ directory, durability: 'safe' })
    unguard = guardProcess(server.pid)
  }
  await start()
  const thaw = () => signalServer(server.pid, 'SIGCONT')
  opened.defer(async () => {
    // A frozen one would not hear that it should stop.
    await thaw()
    await server.stop()
    unguard()
  })
  const running = opened.move()
  return {
    get url() {
      return server.url
    },
    get adminUrl() {
      return server.adminUrl
    },
    start,
    async crash() {
      process.kill(server.pid, 'SIGQUIT')
      await server.exited
      unguard()
    },
    freeze: () => signalServer(server.pid, 'SIGSTOP'),
    thaw,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
