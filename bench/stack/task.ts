import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Scenarios } from '../load/scenarios.ts'
import type { Report } from '../programs/load.ts'

const PROGRAM = fileURLToPath(new URL('../programs/load.ts', import.meta.url))
type Settings<Name extends keyof Scenarios> = Parameters<Scenarios[Name]>[0]
type Result<Name extends keyof Scenarios> = Awaited<ReturnType<Scenarios[Name]>>

/**
 * Runs a scenario in a load generator of its own.
 *
 * @param onMark called at the moments that the scenario names; the scenario waits for it
 */
export async function runLoad<Name extends keyof Scenarios>(
  name: Name,
  settings: Settings<Name>,
  onMark: (mark: string) => Promise<void> = async () => undefined,
): Promise<Result<Name>> {
  const child = fork(PROGRAM, [name], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const exited = once(child, 'exit')
  const { promise, resolve, reject } = Promise.withResolvers<Result<Name>>()
  child.on('message', (report: Report) => {
    if ('mark' in report) onMark(report.mark).then(() => child.send('go on'), reject)
    else if ('failure' in report) reject(new Error(`${name}: ${report.failure}`))
    else resolve(report.result as Result<Name>)
  })
  exited.then(() => reject(new Error(`the load generator ended before ${name} did`)), reject)
  child.send(settings)
  try {
    return await promise
  } finally {
    child.kill()
    await exited
  }
}
