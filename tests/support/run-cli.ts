import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { programEnvironment } from './program-environment.ts'

const CLI = fileURLToPath(new URL('../../src/bin/cli.ts', import.meta.url))

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** `wakeline` itself, without a terminal; of the environment it gets what is given. */
export function runCli(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  const flags = ['--disable-warning=ExperimentalWarning', CLI, ...words]
  execFile(process.execPath, flags, { env: { ...programEnvironment(), ...env } }, (error, stdout, stderr) =>
    resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
  )
  return promise
}
