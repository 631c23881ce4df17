import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { guardProcess } from './guard.ts'

export const POSTGRES_PROGRAM = join(import.meta.dirname, 'postgres-program.ts')

export interface PostgresProgram extends AsyncDisposable {
  child: ChildProcess
  url: string
  pid: number
}

/** A Wakeline of its own process, which the test may kill. */
export async function startPostgresProgram([program = '', ...words]: string[]): Promise<PostgresProgram> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' })
  const ended = once(child, 'exit')
  const said: string[] = []
  child.stderr.on('data', (data) => said.push(String(data)))
  const started = once(createInterface(child.stdout), 'line')
  await Promise.race([started, once(child, 'close')])
  if (child.exitCode !== null) throw new Error(said.join(''))
  const unguard = guardProcess(child.pid ?? 0)
  const { url, pid } = JSON.parse(String((await started)[0]))
  return {
    child,
    url,
    pid,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
      unguard()
    },
  }
}
