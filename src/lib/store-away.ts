import { Problem } from './problem.ts'

/** A database that cannot be asked is told as that: who asked may come again, and is not to think that nothing was found. */
export const orStoreAway = <T>(asked: Promise<T>): Promise<T> =>
  asked.catch((cause: unknown) => {
    if (cause instanceof Problem) throw cause
    throw new Problem('store_unavailable', { retryAfter: 1, cause })
  })
