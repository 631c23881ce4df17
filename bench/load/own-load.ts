/** Share of one core that this process takes: a generator near 1 measures itself. */
export function watchOwnLoad(): () => number {
  const before = process.cpuUsage()
  const since = performance.now()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000 / (performance.now() - since)
  }
}
