import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { VARIABLES } from '../../src/config/variables.ts'
import { until } from './conditions.ts'
import { guardProcess } from './guard.ts'
import { programEnvironment } from './program-environment.ts'

/** One that is new to its directory makes a database first. */
const START_MS = 45_000

export type Program = ReturnType<typeof startProgram>

/** Starts `src/bin/<name>.ts` as a person would; of Wakeline's own variables it gets only those in `env`. */
export function startProgram(
  name: string,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> },
) {
  const program = fileURLToPath(new URL(`../../src/bin/${name}.ts`, import.meta.url))
  const outside = Object.entries(process.env).filter(
    ([variable]) => !(variable in VARIABLES || variable.startsWith('NODE_')),
  )
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    env: { ...Object.fromEntries(outside), ...programEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const pid = child.pid ?? 0
  const unguard = guardProcess(pid)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  let ended: { code: number | null; signal: NodeJS.Signals | null } | undefined
  const exited = once(child, 'close').then(([code, signal]) => {
    unguard()
    ended = { code, signal }
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout, stderr }
  })

  return {
    pid,
    exited,
    hasEnded: () => ended !== undefined,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** Waits for something that it prints. */
    async prints(text: string): Promise<string> {
      await until(() => stdout.includes(text) || ended, {
        timeoutMs: START_MS,
        description: `prints ${text}`,
      })
      if (!stdout.includes(text)) throw new Error(`it ended without printing ${text}:\n${stdout}\n${stderr}`)
      return stdout
    },
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill('SIGTERM')
      await exited
    },
  }
}

/** Everything that was started by the process, directly or not. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const parents = new Map<number, number>()
  for (const entry of await readdir('/proc')) {
    const stat = /^\d+$/.test(entry) ? await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '') : ''
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (parent !== undefined) parents.set(Number(entry), Number(parent))
  }
  const childrenOf = (of: number): number[] =>
    [...parents].filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...childrenOf(child)])
  return childrenOf(pid)
}
