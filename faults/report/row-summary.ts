import { PHASES, type PhaseName } from '../history/figures.ts'
import type { Violation } from '../history/history.ts'
import type { Row } from '../rows/row.ts'
import type { RunResult } from '../run-row.ts'

/** The runs of one row, together. */
export interface RowSummary {
  row: string
  title: string
  runs: number
  acknowledged: number
  terminal: number
  lost: number
  repeated: number
  phantom: number
  calls: { asked: number; sent: number }
  /** Calls, from the request to the vendor: medians of the runs, ms. */
  latency: Record<PhaseName, { p50: number; p99: number }>
  /** The slowest run; missing: it never came to it. */
  firstMs?: number
  settledMs?: number
  violations: Violation[]
  isKept: boolean
}

export function summarizeRow(
  row: string,
  { title, callsSent = 0 }: Row,
  runs: readonly Omit<RunResult, 'logs'>[],
): RowSummary {
  const all = runs.map(({ figures }) => figures)
  const sum = (of: (figures: (typeof all)[number]) => number) =>
    all.reduce((total, one) => total + of(one), 0)
  const calls = { asked: sum((one) => one.calls.asked), sent: sum((one) => one.calls.sent) }
  const violations = [...merge(runs.flatMap((run) => run.violations)), ...tooFew(calls, callsSent)]
  return {
    row,
    title,
    runs: runs.length,
    acknowledged: sum((one) => one.acknowledged),
    terminal: sum((one) => one.terminal),
    lost: sum((one) => one.lost),
    repeated: sum((one) => one.repeated),
    phantom: sum((one) => one.phantom),
    calls,
    latency: Object.fromEntries(
      PHASES.map((phase) => [
        phase,
        {
          p50: median(all.map(({ latency }) => latency.calls[phase].p50)),
          p99: median(all.map(({ latency }) => latency.calls[phase].p99)),
        },
      ]),
    ) as RowSummary['latency'],
    ...slowest('firstMs', all),
    ...slowest('settledMs', all),
    violations,
    isKept: violations.length === 0,
  }
}

/** A share is judged in whole calls: one of six hundred is no less than 99.9 %. */
function tooFew({ asked, sent }: RowSummary['calls'], share: number): Violation[] {
  const missing = asked - sent
  if (missing <= Math.ceil(asked * (1 - share))) return []
  const example = `${sent} of ${asked} calls reached a vendor, ${share * 100} % must`
  return [{ equation: 'calls not sent', count: missing, examples: [example] }]
}

function merge(violations: readonly Violation[]): Violation[] {
  return [...Map.groupBy(violations, ({ equation }) => equation)].map(([equation, found]) => ({
    equation,
    count: found.reduce((sum, { count }) => sum + count, 0),
    examples: found.flatMap(({ examples }) => examples).slice(0, 5),
  }))
}

function slowest<Key extends 'firstMs' | 'settledMs'>(
  key: Key,
  all: readonly { [K in Key]?: number }[],
): { [K in Key]?: number } {
  const values = all.flatMap((one) => one[key] ?? [])
  return (values.length === all.length ? { [key]: Math.max(...values) } : {}) as { [K in Key]?: number }
}

function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
