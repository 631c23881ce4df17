import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'

const MS_PER_TICK = 1_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Milliseconds of processor time that a process has used; its threads count, its children do not. */
export async function processorTime(pid: number): Promise<number> {
  const [own] = await times(pid)
  return own
}

/** The same with all its children, those that have ended, too: a PostgreSQL session is a process. */
export async function processorTimeOfTree(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const children = text.split(' ').filter(Boolean).map(Number)
  const [own, ended] = await times(pid)
  // A child that ends in between shows up with the ended ones at the next reading.
  const living = await Promise.all(children.map((child) => processorTime(child).catch(() => 0)))
  return living.reduce((sum, ms) => sum + ms, own + ended)
}

/** Own and ended children's, user and system together: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
async function times(pid: number): Promise<[own: number, endedChildren: number]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15)
  return [(user + system) * MS_PER_TICK, (childUser + childSystem) * MS_PER_TICK]
}
