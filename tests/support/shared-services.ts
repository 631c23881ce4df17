import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./services-program.ts', import.meta.url))

let services: ChildProcess | undefined

/** One PostgreSQL and one Redis for the whole run; the test files find them by their environment. */
export async function startSharedServices(): Promise<void> {
  const flags = ['--disable-warning=ExperimentalWarning']
  // A process group of its own: Ctrl-C is for Jest, whose end then ends this.
  services = spawn(process.execPath, [...flags, PROGRAM], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(services, 'close').then(() => {
    throw new Error('the services of the tests did not start; the reason is above')
  })
  const announced = services.stdout && once(createInterface(services.stdout), 'line')
  const [line] = (await Promise.race([announced, ended])) ?? []
  ended.catch(() => undefined)
  Object.assign(process.env, JSON.parse(String(line)))
}

export async function stopSharedServices(): Promise<void> {
  if (!services || services.exitCode !== null) return
  const ended = once(services, 'close')
  services.stdin?.end()
  await ended
}
