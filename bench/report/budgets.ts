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
  'lanes-change': { limit: 20, better: 'lower' },
  'lanes-failed': { limit: 0, better: 'lower' },
  'messages-lost': { limit: 0, better: 'lower' },
  'validations-per-second': { limit: 5_000, better: 'higher' },
  'validations-failed': { limit: 0, better: 'lower' },
  // Who guesses passwords moves the calls' p99 by no more than a backlog of messages may.
  'attack-change': { limit: 20, better: 'lower' },
  'attack-failed': { limit: 0, better: 'lower' },
  'limits-cost': { limit: 5, better: 'lower' },
  'limits-slowdown': { limit: 5, better: 'lower' },
  'limits-failed': { limit: 0, better: 'lower' },
  'search-call-id-p95': { limit: 50, better: 'lower' },
  'search-call-id-none-there-p95': { limit: 50, better: 'lower' },
  'search-extension-p95': { limit: 50, better: 'lower' },
  'search-extension-of-a-tenant-p95': { limit: 50, better: 'lower' },
  'search-token-hash-p95': { limit: 50, better: 'lower' },
  'search-licence-p95': { limit: 50, better: 'lower' },
  'search-tenant-p95': { limit: 50, better: 'lower' },
  'search-state-of-a-tenant-p95': { limit: 50, better: 'lower' },
  'search-state-p95': { limit: 50, better: 'lower' },
  'search-kind-p95': { limit: 50, better: 'lower' },
  'search-an-hour-p95': { limit: 50, better: 'lower' },
  'search-id-p95': { limit: 50, better: 'lower' },
  'search-tenant-page-2-p95': { limit: 50, better: 'lower' },
  'search-whole-tables': { limit: 0, better: 'lower' },
  'history-first-page-p95': { limit: 20, better: 'lower' },
  'history-first-page-of-a-busy-one-p95': { limit: 20, better: 'lower' },
  'history-offset-5000-p95': { limit: 20, better: 'lower' },
  'history-page-by-cursor-p95': { limit: 20, better: 'lower' },
  'history-page-since-p95': { limit: 20, better: 'lower' },
  'history-whole-tables': { limit: 0, better: 'lower' },
  // What drains a million messages must not need more for the last than for the others.
  'drain-growth': { limit: 10, better: 'lower' },
  'drain-left': { limit: 0, better: 'lower' },
  'day-dropped': { limit: 1_000, better: 'lower' },
  'day-lost': { limit: 0, better: 'lower' },
}

export function isMet(id: string, value: number): boolean | undefined {
  const budget = BUDGETS[id]
  if (!budget) return undefined
  return budget.better === 'lower' ? value <= budget.limit : value >= budget.limit
}
