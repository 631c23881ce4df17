/**
 * Turns many small calls of one moment into one: what is asked for in the same turn of the event loop goes out together, and
 * what comes while a batch is under way waits for the next. Order is kept.
 */
export function createBatcher<Item, Result>(
  run: (items: Item[]) => Promise<Result[]>,
  options: {
    /** The most items in one batch: bounds the size of a statement. */
    size: number
    /** Batches under way at the same time. */
    parallel: number
    /** Milliseconds a batch may wait to fill up; 0: until the end of this turn of the event loop. */
    waitMs?: number
  },
) {
  const waiting: { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }[] = []
  let running = 0
  let scheduled = false

  const schedule = () => {
    if (scheduled || running >= options.parallel || waiting.length === 0) return
    scheduled = true
    const start = () => {
      scheduled = false
      void flush()
    }
    // A full batch has nothing to wait for.
    if (options.waitMs && waiting.length < options.size) setTimeout(start, options.waitMs)
    else setImmediate(start)
  }

  const flush = async () => {
    const batch = waiting.splice(0, options.size)
    running += 1
    schedule()
    try {
      const results = await run(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as Result)
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      running -= 1
      schedule()
    }
  }

  return {
    add: (item: Item): Promise<Result> =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject })
        schedule()
      }),
    pending: (): number => waiting.length,
  }
}
