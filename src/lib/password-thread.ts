import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { hashSync, type Options, verifySync } from '@node-rs/argon2'

/** argon2id (the library's default kind) as strong as OWASP's Password Storage Cheat Sheet asks: 19 MiB, 2 passes. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } satisfies Options
/** The least there is. */
const LOWEST_PRIORITY = 19

export type PasswordJob =
  | { kind: 'hash'; password: string }
  | { kind: 'verify'; password: string; passwordHash: string }
export type PasswordAnswer = { result: string | boolean } | { failure: string }

// On Linux this is the priority of the thread that asks, so calls get the core whenever they want it. Elsewhere it would be the
// whole process's.
if (process.platform === 'linux') setPriority(LOWEST_PRIORITY)

parentPort?.on('message', (job: PasswordJob) => parentPort?.postMessage(answer(job)))

function answer(job: PasswordJob): PasswordAnswer {
  try {
    if (job.kind === 'hash') return { result: hashSync(job.password, PARAMETERS) }
    return { result: verifySync(job.passwordHash, job.password) }
  } catch (error) {
    return { failure: (error as Error).message }
  }
}
