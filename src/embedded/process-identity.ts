import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A process that has ended but was not collected by its parent still has a number: it counts as gone. */
const GONE = ['Z', 'X']

/**
 * When the process started, in whatever unit the system has; undefined when there is no such process.
 * A number alone is given to somebody else after a crash; number and start together are not.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return startFromPs(pid)
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The second field is the program's name in parentheses and may itself contain both ')' and spaces.
  const [state, ...rest] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return state === undefined || GONE.includes(state) ? undefined : rest[18]
}

/** The words a process was started with; empty when there is none or they cannot be read. */
export async function processArguments(pid: number): Promise<string[]> {
  if (process.platform !== 'linux') return (await ps(pid, 'command=')).split(' ')
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return line.split('\0')
}

async function startFromPs(pid: number): Promise<string | undefined> {
  const [state, ...start] = (await ps(pid, 'state=,lstart=')).trim().split(/\s+/)
  return !state || GONE.includes(state.charAt(0)) ? undefined : start.join(' ')
}

async function ps(pid: number, columns: string): Promise<string> {
  const answer = await run('ps', ['-o', columns, '-p', String(pid)]).catch(() => ({ stdout: '' }))
  return answer.stdout
}
