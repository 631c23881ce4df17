import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '../lib/start-error.ts'
import { SECOND } from '../lib/units.ts'
import { POSTGRES_ENVIRONMENT, type PostgresAccount } from './postgres-account.ts'
import type { Durability } from './postgres-cluster.ts'

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface PostgresProcess {
  pid: number
  /** Settles when the server has ended, asked or not. */
  exited: Promise<Exit>
  stop(): Promise<void>
}

interface ProcessOptions {
  program: string
  account: PostgresAccount
  cluster: string
  log: string
  port: number
  durability: Durability
}

const READY_POLL_MS = 10
/** After a power cut the server first replays what it had written ahead. */
const READY_LIMIT = 120 * SECOND
const STOP_LIMIT = 10 * SECOND
const QUIT_LIMIT = 5 * SECOND

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '64MB',
  // Our queries are short: compiling them takes longer than running them.
  jit: 'off',
  log_checkpoints: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
}
/** Of a server whose data nobody will miss; whole clusters of ours share it, and each has pools of its own. */
const FAST_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '400',
}

/** Starts the server and waits until it answers. What it said when it ended too early is in `said`. */
export async function startPostgresProcess(
  options: ProcessOptions,
): Promise<PostgresProcess | { said: string }> {
  const log = await open(options.log, 'a', 0o600)
  const logStart = (await log.stat()).size
  const settings = { ...SETTINGS, ...(options.durability === 'fast' && FAST_SETTINGS) }
  const words = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [program = '', ...rest] = [...options.account.prefix, options.program, '-D', options.cluster]
  let child: ChildProcess
  try {
    child = spawn(program, [...rest, '-p', String(options.port), ...words], {
      // A process group of its own: Ctrl-C in the terminal is for us, and we stop the database last.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: POSTGRES_ENVIRONMENT,
      cwd: '/',
    })
    // On failure this throws what made the start fail.
    await once(child, 'spawn')
  } catch (cause) {
    throw new StartError(`PostgreSQL cannot be run: ${program} (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
    })
  } finally {
    await log.close()
  }
  const running = superviseProcess(child)
  if (await becameReady(running, options.cluster)) return running
  return { said: (await readFile(options.log)).subarray(logStart).toString() }
}

function superviseProcess(child: ChildProcess): PostgresProcess {
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  const endedWithin = async (limitMs: number) => {
    const limit = new AbortController()
    const late = delay(limitMs, 'late', { signal: limit.signal }).catch(() => 'late')
    const first = await Promise.race([exited, late])
    limit.abort()
    return first !== 'late'
  }
  const stop = async () => {
    child.kill('SIGINT')
    if (await endedWithin(STOP_LIMIT)) return
    child.kill('SIGQUIT')
    if (await endedWithin(QUIT_LIMIT)) return
    child.kill('SIGKILL')
    await exited
  }
  let stopped: Promise<void> | undefined
  return {
    pid: child.pid ?? 0,
    exited,
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}

/** PostgreSQL writes its state into the eighth line of its pid file: asking that costs it no connection. */
async function becameReady({ pid, exited, stop }: PostgresProcess, cluster: string): Promise<boolean> {
  const end = performance.now() + READY_LIMIT
  let ended = false
  void exited.then(() => {
    ended = true
  })
  while (performance.now() < end) {
    const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
    if (lines[0] === String(pid) && lines[7]?.trim() === 'ready') return true
    if (ended) return false
    await delay(READY_POLL_MS)
  }
  await stop()
  return false
}
