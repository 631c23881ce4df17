import type { Env } from '../config/env.ts'
import { readRuntimeFile } from '../embedded/runtime-file.ts'
import { StartError } from '../lib/start-error.ts'
import type { Target } from './run-demo.ts'
import { startTemporaryInstance } from './temporary-instance.ts'

export interface TargetOptions {
  url?: string
  pbxKey?: string
  simulators: string
  data: string
}

export interface FoundTarget extends AsyncDisposable {
  target: Target
  /** For the person who looks at it. */
  described: string
}

/** The Wakeline that was named, or the one that runs on the data directory, or a temporary one. */
export async function findTarget(
  options: TargetOptions,
  env: Env,
  say: (text: string) => void,
  told: AbortSignal,
): Promise<FoundTarget> {
  const { url, pbxKey, simulators: simulatorsUrl } = options
  if (url !== undefined) {
    if (pbxKey === undefined) throw new StartError('--url needs --pbx-key: the key that a PBX of yours has.')
    return { target: { url, pbxKey, simulatorsUrl }, described: `Wakeline at ${url}`, ...nothingToStop }
  }
  const running = await readRuntimeFile(options.data)
  if (running?.pbxKey !== undefined && running.simulatorsUrl !== undefined) {
    const target = { url: running.url, pbxKey: running.pbxKey, simulatorsUrl: running.simulatorsUrl }
    return { target, described: `the Wakeline that runs at ${running.url}`, ...nothingToStop }
  }
  say(
    running
      ? 'The Wakeline that runs here has no simulated phones; starting a temporary one ...'
      : 'No Wakeline runs here; starting a temporary one ...',
  )
  const temporary = await startTemporaryInstance(env, told)
  const dispose = temporary[Symbol.asyncDispose]
  return {
    target: temporary,
    described: `a temporary Wakeline at ${temporary.url}`,
    [Symbol.asyncDispose]: dispose,
  }
}

const nothingToStop = { [Symbol.asyncDispose]: async () => undefined }
