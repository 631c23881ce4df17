import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Env } from '../config/env.ts'
import { VARIABLES } from '../config/variables.ts'
import { readRuntimeFile } from '../embedded/runtime-file.ts'
import { StartError } from '../lib/start-error.ts'
import type { Target } from './run-demo.ts'

const PROGRAM = fileURLToPath(new URL('../bin/embedded.ts', import.meta.url))

/** A Wakeline for the time of the demo: a process of its own on free ports, in a directory that goes with it. */
export async function startTemporaryInstance(env: Env, told: AbortSignal): Promise<Target & AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'wakeline-demo-'))
  opened.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  // Run by root, PostgreSQL has an account of its own and must be able to walk through; what is secret in it is closed anyway.
  await chmod(directory, 0o711)

  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM], {
    env: { ...withoutOurs(env), DATA_DIR: directory, PORT: '0', METRICS_PORT: '0' },
    // The channel tells it when we are gone, however we went. It is not detached: Ctrl-C is for both of us.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  opened.defer(() => stop(child))
  await untilReady(child, told)
  const facts = await readRuntimeFile(directory)
  if (facts?.pbxKey === undefined || facts.simulatorsUrl === undefined) {
    throw new StartError('The temporary Wakeline did not say where it is.')
  }
  const { url, pbxKey, simulatorsUrl } = facts
  const running = opened.move()
  return { url, pbxKey, simulatorsUrl, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** Nothing that is set for a real Wakeline may reach this one: no database, no credentials, no secret. */
const withoutOurs = (env: Env): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !(name in VARIABLES)))

/** Its banner is the sign that all of it runs. */
async function untilReady(child: ChildProcess, told: AbortSignal): Promise<void> {
  const said: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk))
  const over = new AbortController()
  const { signal } = over
  try {
    const ended = once(child, 'close', { signal }).then(() => false)
    const printed = child.stdout ? once(child.stdout, 'data', { signal }).then(() => true) : ended
    if (await Promise.race([printed, ended])) return
  } finally {
    over.abort()
  }
  // Ctrl-C ends it as well.
  told.throwIfAborted()
  throw new StartError(`The temporary Wakeline did not start:\n${Buffer.concat(said).toString().trim()}`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}
