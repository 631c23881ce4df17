import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { type PostgresServer, startPostgresServer } from '../../src/embedded/postgres-server.ts'
import { guardProcess } from './guard.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export interface OwnPostgres extends PostgresServer {
  /** Connections stay open and nothing answers, as on a host that hangs. */
  freeze(): Promise<void>
  thaw(): Promise<void>
}

/** A PostgreSQL of its own in a fresh directory, for a test that hurts it. */
export async function startOwnPostgres(): Promise<OwnPostgres> {
  await using opened = new AsyncDisposableStack()
  const temporary = opened.use(await temporaryDirectory())
  const directory = opened.use(await openDataDirectory(join(temporary.path, 'data')))
  const server = opened.use(await startPostgresServer({ directory, durability: 'fast' }))
  opened.defer(guardProcess(server.pid))
  const thaw = () => signalServer(server.pid, 'SIGCONT')
  // Disposed of before the server: a frozen one would not hear that it should stop.
  opened.defer(thaw)
  const all = opened.move()
  const stop = () => all.disposeAsync()
  return {
    ...server,
    freeze: () => signalServer(server.pid, 'SIGSTOP'),
    thaw,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Its sessions are processes, each in a group of its own. The parent comes first, so that none is added. */
export async function signalServer(pid: number, name: NodeJS.Signals): Promise<void> {
  for (const each of [pid, ...(await childrenOf(pid))]) trySignal(each, name)
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const parents = await Promise.all(pids.map(parentOf))
  return pids.filter((_, index) => parents[index] === parent)
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // After the program's name in parentheses: state, parent.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

function trySignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
