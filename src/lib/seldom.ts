/** Kept at most; the oldest is forgotten first. */
const MAX_KEYS = 1_000

/** Tells for each key whether it comes for the first time within `ms`: for what would be said a thousand times. */
export function createSeldom(ms: number): (key: string) => boolean {
  const last = new Map<string, number>()
  return (key) => {
    const now = performance.now()
    const before = last.get(key)
    if (before !== undefined && now - before < ms) return false
    last.delete(key)
    last.set(key, now)
    const [oldest] = last.keys()
    if (last.size > MAX_KEYS && oldest !== undefined) last.delete(oldest)
    return true
  }
}
