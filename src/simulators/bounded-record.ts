/** What arrived, oldest first; when it is full the oldest tenth goes. */
export interface BoundedRecord<T> {
  readonly items: readonly T[]
  /** How many were ever added. */
  readonly total: number
  add(item: T): void
  /** The items still kept from the `index`-th ever added on, counted from 0, each with its index. */
  since(index: number): { index: number; item: T }[]
}

/** @param capacity Number of items kept; 0 keeps none and only counts. */
export function createBoundedRecord<T>(capacity: number): BoundedRecord<T> {
  const items: T[] = []
  let total = 0
  return {
    items,
    get total() {
      return total
    },
    add(item) {
      total += 1
      if (capacity === 0) return
      // In large steps, because each one moves all that stay.
      if (items.length >= capacity) items.splice(0, Math.ceil(capacity / 10))
      items.push(item)
    },
    since(index) {
      const oldest = total - items.length
      const start = Math.max(0, index - oldest)
      return items.slice(start).map((item, offset) => ({ index: oldest + start + offset, item }))
    },
  }
}
