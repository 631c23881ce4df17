import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { processStart } from './process-identity.ts'

interface Holder {
  pid: number
  start: string
}

export type LockAttempt = { held: true; release(): Promise<void> } | { held: false; pid: number }

/**
 * An exclusive lock that a crash does not leave behind: the file names its holder, and a holder that no longer
 * runs has lost it. Node offers no flock(2), which would do this by itself.
 */
export async function tryLock(path: string): Promise<LockAttempt> {
  const start = await processStart(process.pid)
  const mine: Holder = { pid: process.pid, start: start ?? '' }
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(mine), { mode: 0o600 })
  try {
    const other = await claim(path, draft)
    if (other) return { held: false, pid: other.pid }
    return { held: true, release: () => rm(path, { force: true }) }
  } finally {
    await rm(draft, { force: true })
  }
}

/** Who has the lock instead of us; undefined when it is ours now. */
async function claim(path: string, draft: string): Promise<Holder | undefined> {
  // link(2) creates the file with its content in one step, so nobody ever reads half a lock.
  const created = await link(draft, path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false
      throw error
    },
  )
  if (created) return undefined
  const holder = await liveHolder(path)
  return holder ?? takeOver(path, draft)
}

/**
 * Two processes may find the same dead lock. Replacing it needs a lock of its own, or the second would replace
 * the first one's fresh lock. That inner lock can be left dead as well, hence the recursion.
 */
async function takeOver(path: string, draft: string): Promise<Holder | undefined> {
  const inner = await tryLock(`${path}.takeover`)
  if (!inner.held) return { pid: inner.pid, start: '' }
  try {
    const holder = await liveHolder(path)
    if (!holder) await rename(draft, path)
    return holder
  } finally {
    await inner.release()
  }
}

async function liveHolder(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const holder = parseHolder(text)
  return holder && (await processStart(holder.pid)) === holder.start ? holder : undefined
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('start' in value))
      return undefined
    const { pid, start } = value
    return typeof pid === 'number' && typeof start === 'string' ? { pid, start } : undefined
  } catch {
    return undefined
  }
}
