export interface Loop {
  /** Starts no new round and waits for the one under way, at most `ms`. */
  close(ms: number): Promise<void>
}

export interface WakefulLoop extends Loop {
  /** There is something to do: the next round comes at once, or right after the one under way. */
  wake(): void
}

/**
 * Does something over and over in this process: rounds follow each other at `everyMs`, and at once while a round says that there
 * is more to do. A round that fails is told and the next one comes all the same.
 */
export function startLoop(
  round: () => Promise<boolean>,
  { everyMs, onError }: { everyMs: number; onError: (error: unknown) => void },
): WakefulLoop {
  let isClosed = false
  let isWanted = false
  let timer: NodeJS.Timeout | undefined
  let running = Promise.resolve()

  const run = async (): Promise<void> => {
    let hasMore = true
    while ((hasMore || isWanted) && !isClosed) {
      isWanted = false
      hasMore = await round().catch((error: unknown) => {
        onError(error)
        return false
      })
    }
    timer = isClosed ? undefined : setTimeout(start, everyMs)
  }
  const start = () => {
    timer = undefined
    running = run()
  }
  start()

  return {
    wake() {
      isWanted = true
      if (!timer) return
      clearTimeout(timer)
      start()
    },
    async close(ms) {
      isClosed = true
      clearTimeout(timer)
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const patience = setTimeout(resolve, ms)
      await Promise.race([running, late])
      clearTimeout(patience)
    },
  }
}
