import { randomBytes } from 'node:crypto'
import { hash, type Options, verify } from '@node-rs/argon2'
import { Problem } from '../lib/problem.ts'

/** argon2id (the library's default kind) as strong as OWASP's Password Storage Cheat Sheet asks: 19 MiB, 2 passes. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } satisfies Options
/** Each takes a core for some 20 ms, and calls need the others. */
const AT_THE_SAME_TIME = 2
/** Half a second of work; who comes after it is asked to come again. */
const MAX_WAITING = 50

/** Hashes and checks passwords of people, a few at a time. */
export function createPasswords() {
  const inTurn = createTurns(AT_THE_SAME_TIME, MAX_WAITING)
  let dummy: Promise<string> | undefined
  const hashOf = (password: string) => inTurn(() => hash(password, PARAMETERS))

  return {
    hash: hashOf,

    /** Without a hash to compare with it takes as long as with one, so that the time does not tell which names exist. */
    async matches(password: string, passwordHash: string | undefined): Promise<boolean> {
      // Made before it is known whether it is needed, for the same reason.
      dummy ??= hash(randomBytes(32).toString('hex'), PARAMETERS)
      const instead = await dummy
      const isRight = await inTurn(() => verify(passwordHash ?? instead, password))
      return isRight && passwordHash !== undefined
    },
  }
}
export type Passwords = ReturnType<typeof createPasswords>

/** Lets so many work at a time; the others wait in order, and beyond `maxWaiting` nobody does. */
function createTurns(atTheSameTime: number, maxWaiting: number) {
  const waiting: (() => void)[] = []
  let running = 0
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < atTheSameTime) running += 1
    else {
      if (waiting.length >= maxWaiting) throw new Problem('rate_limited', { retryAfter: 2 })
      // Whoever ends hands his turn over, so `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
}
