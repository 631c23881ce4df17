import { randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { PasswordAnswer, PasswordJob } from './password-thread.ts'
import { Problem } from './problem.ts'

/** Each takes a core for some 20 ms, whenever calls leave it one. */
const THREADS = 2
/** Half a second of work; who comes after it is asked to come again. */
const MAX_WAITING = 50

/** Hashes and checks passwords of people, a few at a time, in threads that give way to everything else. */
export function createPasswords() {
  const threads = createThreads(THREADS, MAX_WAITING)
  let dummy: Promise<string> | undefined
  const hash = async (password: string) => String(await threads.run({ kind: 'hash', password }))

  return {
    hash,

    /** Without a hash to compare with it takes as long as with one, so that the time does not tell which names exist. */
    async matches(password: string, passwordHash: string | undefined): Promise<boolean> {
      // Made before it is known whether it is needed, for the same reason.
      dummy ??= hash(randomBytes(32).toString('hex')).catch((error: unknown) => {
        dummy = undefined
        throw error
      })
      const instead = await dummy
      const isRight = await threads.run({
        kind: 'verify',
        password,
        passwordHash: passwordHash ?? instead,
      })
      return isRight === true && passwordHash !== undefined
    },

    close: (): Promise<void> => threads.close(),
  }
}
export type Passwords = ReturnType<typeof createPasswords>

/** So many jobs run at a time; the others wait in order, and beyond `maxWaiting` nobody does. */
function createThreads(count: number, maxWaiting: number) {
  const all = Array.from({ length: count }, createThread)
  const idle = [...all]
  const waiting: ((thread: Thread) => void)[] = []

  const next = async (): Promise<Thread> => {
    const thread = idle.pop()
    if (thread) return thread
    if (waiting.length >= maxWaiting) throw new Problem('rate_limited', { retryAfter: 2 })
    return new Promise((resolve) => waiting.push(resolve))
  }
  return {
    async run(job: PasswordJob): Promise<string | boolean> {
      const thread = await next()
      try {
        return await thread.run(job)
      } finally {
        const whoWaits = waiting.shift()
        if (whoWaits) whoWaits(thread)
        else idle.push(thread)
      }
    },
    close: async () => void (await Promise.all(all.map((thread) => thread.close()))),
  }
}

interface Thread {
  /** One at a time. */
  run(job: PasswordJob): Promise<string | boolean>
  close(): Promise<void>
}

/** Starts with its first job, and again with the next one if it has died. */
function createThread(): Thread {
  let worker: Worker | undefined
  const start = (): Worker => {
    const started = new Worker(new URL('./password-thread.ts', import.meta.url))
    // Also when nobody waits for it; whoever does, hears of it below.
    const forget = () => {
      if (worker === started) worker = undefined
    }
    return started.once('error', forget).once('exit', forget)
  }
  return {
    async run(job) {
      worker ??= start()
      const { promise, resolve, reject } = Promise.withResolvers<PasswordAnswer>()
      const die = (cause: unknown) =>
        reject(new Error('the thread that hashes passwords has ended', { cause }))
      // While it works it keeps the process alive, as any other work would.
      const running = worker
      running.ref()
      running.once('message', resolve).once('error', die).once('exit', die)
      running.postMessage(job)
      try {
        const answer = await promise
        if ('failure' in answer) throw new Error(answer.failure)
        return answer.result
      } finally {
        running.off('message', resolve).off('error', die).off('exit', die)
        running.unref()
      }
    },
    async close() {
      await worker?.terminate()
      worker = undefined
    },
  }
}
