/** Work that waits; what still waits at the end of a simulator is dropped. */
export function createDelays() {
  const timers = new Set<NodeJS.Timeout>()
  return {
    /** @param ms Milliseconds; without it the work is done in the same tick. */
    run(ms: number | undefined, work: () => void): void {
      if (ms === undefined) {
        work()
        return
      }
      const timer = setTimeout(() => {
        timers.delete(timer)
        work()
      }, ms)
      timers.add(timer)
    },
    stop(): void {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}
