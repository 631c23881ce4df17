import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '../lib/start-error.ts'
import { SECOND } from '../lib/units.ts'
import type { DataDirectory } from './data-directory.ts'
import { choosePostgresAccount } from './postgres-account.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { clusterPath, type Durability, ensureCluster, SUPERUSER } from './postgres-cluster.ts'
import { ensureDatabase, WAKELINE } from './postgres-database.ts'
import { stopOrphan } from './postgres-orphan.ts'
import { type Exit, type PostgresProcess, startPostgresProcess } from './postgres-process.ts'

export interface PostgresServer extends AsyncDisposable {
  /** The database `wakeline` as its owner. */
  url: string
  /** The database `postgres` as superuser: for making databases. */
  adminUrl: string
  port: number
  pid: number
  /** Settles when the server has ended, asked or not. */
  exited: Promise<Exit>
  stop(): Promise<void>
}

export interface PostgresServerOptions {
  directory: DataDirectory
  /** Absent or 0: a free one, remembered in the directory so that a restart keeps it. */
  port?: number
  durability: Durability
}

const PASSWORD_FILE = 'postgres-password'
const LOG_FILE = 'postgres.log'

export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const { directory, durability } = options
  const binaries = await findPostgresBinaries()
  const cluster = clusterPath(directory)
  const account = await choosePostgresAccount(cluster, [binaries.postgres, directory.path])
  const password = await directory.secret(PASSWORD_FILE, () => randomBytes(24).toString('hex'))
  await ensureCluster({ directory, binaries, account, password, durability })
  await stopOrphan(cluster)

  const fixed = options.port || undefined
  const { server, port } = await startOnPort(directory, fixed, (candidate) =>
    startPostgresProcess({
      program: binaries.postgres,
      account,
      cluster,
      log: directory.file(LOG_FILE),
      port: candidate,
      durability,
    }),
  )
  const adminUrl = `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`
  try {
    await ensureDatabase(adminUrl, password, directory.file(PASSWORD_FILE))
  } catch (error) {
    await server.stop()
    throw error
  }
  const { pid, exited, stop } = server
  const url = `postgresql://${WAKELINE}:${password}@127.0.0.1:${port}/${WAKELINE}`
  return { url, adminUrl, port, pid, exited, stop, [Symbol.asyncDispose]: stop }
}

type Start = (port: number) => Promise<PostgresProcess | { said: string }>

const PORT_TAKEN = 'Address already in use'
/** The last server was killed, and a session of it has not noticed yet. */
const SESSIONS_LEFT = 'is still in use'
const SESSIONS_PATIENCE = 15 * SECOND
const SESSIONS_POLL_MS = 100
const PORT_ATTEMPTS = 5

async function startOnPort(directory: DataDirectory, fixed: number | undefined, start: Start) {
  const portFile = directory.file('postgres-port')
  const remembered = fixed ?? (Number(await readFile(portFile, 'utf8').catch(() => '')) || undefined)
  let port = remembered ?? (await freePort())
  const patienceEnds = performance.now() + SESSIONS_PATIENCE
  for (let taken = 0; ; ) {
    const server = await start(port)
    if (!('said' in server)) {
      if (port !== remembered) await writeFile(portFile, String(port))
      return { server, port }
    }
    if (server.said.includes(PORT_TAKEN) && !fixed && ++taken < PORT_ATTEMPTS) port = await freePort()
    else if (server.said.includes(SESSIONS_LEFT) && performance.now() < patienceEnds)
      await delay(SESSIONS_POLL_MS)
    else throw startFailure(directory, server.said, port)
  }
}

function startFailure(directory: DataDirectory, said: string, port: number): StartError {
  if (said.includes(PORT_TAKEN)) {
    return new StartError(`PostgreSQL cannot listen on 127.0.0.1:${port}: another program has that port.`)
  }
  const reason = said.split('\n').findLast((line) => /FATAL|PANIC|error/.test(line)) ?? 'it did not say why'
  return new StartError(`PostgreSQL did not start: ${reason.trim()} (${directory.file(LOG_FILE)} has more).`)
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string')
    throw new StartError('There is no free port on 127.0.0.1.')
  return address.port
}
