import { PHASES } from '../history/figures.ts'
import type { RowSummary } from './row-summary.ts'

const HEADER = ['row', 'fault', 'runs', 'acked', 'ended', 'lost', 'twice', 'phantom', 'calls sent']
const LATENCIES = PHASES.map((phase) => `${phase} p50/p99`)
const RECOVERY = ['first ms', 'all ms', '']

/** The rows as a person reads them; below, what contradicts a promise. */
export function formatTable(rows: readonly RowSummary[]): string {
  const all = [[...HEADER, ...LATENCIES, ...RECOVERY], ...rows.map(cellsOf)]
  const widths = all[0]?.map((_, column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0))) ?? []
  const format = (cells: readonly string[]) =>
    cells
      .map((cell, i) =>
        i < 2 || i === cells.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd()
  const [header = [], ...body] = all
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [format(header), rule, ...body.map(format), ...rows.flatMap(complaints)].join('\n')
}

const cellsOf = (row: RowSummary): string[] => [
  row.row,
  row.title,
  `${row.runs}`,
  `${row.acknowledged}`,
  `${row.terminal}`,
  `${row.lost}`,
  `${row.repeated}`,
  `${row.phantom}`,
  `${((row.calls.sent / row.calls.asked) * 100).toFixed(2)} %`,
  ...PHASES.map((phase) => `${ms(row.latency[phase].p50)} / ${ms(row.latency[phase].p99)}`),
  ms(row.firstMs),
  ms(row.settledMs),
  row.isKept ? 'kept' : 'BROKEN',
]

const complaints = ({ row, violations }: RowSummary): string[] =>
  violations.flatMap(({ equation, count, examples }) => [
    `\n${row} ${equation}: ${count}`,
    ...examples.map((example) => `  ${example}`),
  ])

const ms = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? '-' : `${Math.round(value)}`
