/** What opens, closes: in reverse order, also when opening failed half-way. */
export function createReleaser() {
  const open: (() => unknown)[] = []
  return {
    add<T>(resource: T, close: (resource: T) => unknown): T {
      open.push(() => close(resource))
      return resource
    },
    /** Closes everything, whatever fails on the way; then throws the first failure. */
    async release(): Promise<void> {
      const failures: unknown[] = []
      for (const close of open.splice(0).reverse()) {
        try {
          await close()
        } catch (error) {
          failures.push(error)
        }
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}
export type Releaser = ReturnType<typeof createReleaser>
