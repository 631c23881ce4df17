/** The budgets of the design, by line of the table. */
export const BUDGETS: Readonly<Record<string, { limit: number; better: 'lower' | 'higher' }>> = {
  'latency-p50': { limit: 1, better: 'lower' },
  'latency-p99': { limit: 5, better: 'lower' },
  'latency-failed': { limit: 0, better: 'lower' },
  'release-p50': { limit: 2, better: 'lower' },
  'release-lost': { limit: 0, better: 'lower' },
  'pushes-per-second': { limit: 6_000, better: 'higher' },
  'processor-per-push': { limit: 200, better: 'lower' },
  'pushes-unaccounted': { limit: 0, better: 'lower' },
  // 10,000 holds in one process, however many were held here.
  'held-memory': { limit: 250, better: 'lower' },
  'held-failed': { limit: 0, better: 'lower' },
}

export function isMet(id: string, value: number): boolean | undefined {
  const budget = BUDGETS[id]
  if (!budget) return undefined
  return budget.better === 'lower' ? value <= budget.limit : value >= budget.limit
}
