import { readFile, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SECOND } from '../lib/units.ts'
import { processArguments, processStart } from './process-identity.ts'

const POLL_MS = 10
/** Fast shutdown, then immediate, then without asking; each gets its time. */
const STEPS = [
  { signal: 'SIGINT', wait: 10 * SECOND },
  { signal: 'SIGQUIT', wait: 5 * SECOND },
  { signal: 'SIGKILL', wait: 5 * SECOND },
] as const

/**
 * Stops a server that outlived the Wakeline that started it, and clears away a pid file that names a stranger.
 * Only for who holds the data directory's lock: then nobody else can need that server.
 */
export async function stopOrphan(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid')
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0])
  const start = pid > 0 ? await processStart(pid) : undefined
  // A dead server's file is left to PostgreSQL: it holds the key by which it finds surviving sessions.
  if (start === undefined) return
  if (!(await isServerOf(pid, cluster))) return rm(pidFile, { force: true })

  const gone = async () => (await processStart(pid)) !== start
  for (const { signal, wait } of STEPS) {
    if (!sendSignal(pid, signal) || (await within(wait, gone))) return
  }
}

/** False when it has just ended by itself. */
function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

async function isServerOf(pid: number, cluster: string): Promise<boolean> {
  const words = await processArguments(pid)
  const directory = words[words.indexOf('-D') + 1]
  if (!words.includes('-D') || !directory) return false
  return (await realpath(directory).catch(() => directory)) === (await realpath(cluster))
}

async function within(limitMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > end) return false
    await delay(POLL_MS)
  }
  return true
}
