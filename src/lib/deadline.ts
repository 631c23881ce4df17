/** Nothing that waits for another system may wait longer than its caller can use the answer. */

export class TimedOut extends Error {
  override readonly name = 'TimedOut'
  constructor(what: string, ms: number) {
    super(`${what} took longer than ${ms} ms`)
  }
}

/**
 * Settles like `work`, or rejects with TimedOut after `ms`. The work itself goes on; a later failure of it is consumed, because
 * its caller has already been answered.
 */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new TimedOut(what, ms)), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}

/**
 * Like `within`, but an answer that came while this process was busy is not late: it is read before the time is judged. For what
 * would otherwise take a busy process for a store that is away.
 */
export async function inTime<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => setImmediate(() => reject(new TimedOut(what, ms))), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}
