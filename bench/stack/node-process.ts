import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { until } from '../../tests/support/conditions.ts'
import { guardProcess } from '../../tests/support/guard.ts'

export interface NodeProcess extends AsyncDisposable {
  pid: number
  /** What it has written so far. */
  output(): Promise<string>
}

export interface NodeProcessOptions {
  /** Program and its words. */
  command: readonly string[]
  env: Record<string, string>
  /** Its output goes to a file: reading a pipe would cost processor time while it is measured. */
  log: string
  /** In the output of a program that is ready. */
  ready: string
  nodeOptions?: readonly string[]
}

/** A program of ours as it runs in production. */
export async function startNodeProcess(options: NodeProcessOptions): Promise<NodeProcess> {
  const log = await open(options.log, 'a')
  const words = ['--disable-warning=ExperimentalWarning', ...(options.nodeOptions ?? []), ...options.command]
  const child = spawn(process.execPath, words, {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: { PATH: process.env.PATH, ...options.env },
  })
  let ended = false
  const exited = once(child, 'exit').then(() => {
    ended = true
  })
  await once(child, 'spawn')
  await log.close()
  const unguard = guardProcess(child.pid ?? 0)
  const output = () => readFile(options.log, 'utf8')
  const stop = async () => {
    child.kill('SIGTERM')
    await exited
    unguard()
  }
  try {
    const isReady = async () => ended || (await output()).includes(options.ready)
    await until(isReady, { timeoutMs: 30_000, description: `${options.command[0]} is ready` })
    if (ended) throw new Error(`${options.command[0]} ended at once:\n${await output()}`)
  } catch (error) {
    await stop()
    throw error
  }
  return { pid: child.pid ?? 0, output, [Symbol.asyncDispose]: stop }
}
