import type { Measurement } from '../rows/measurement.ts'
import { BUDGETS, isMet } from './budgets.ts'

const HEADER = ['row', 'what', 'value', 'floor', 'ratio', 'budget', '']

/** The results as a person reads them. */
export function formatTable(rows: readonly { row: string; lines: readonly Measurement[] }[]): string {
  const body = rows.flatMap(({ row, lines }) => lines.map((line, i) => cellsOf(i === 0 ? row : '', line)))
  const all = [HEADER, ...body]
  const widths = HEADER.map((_, column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)))
  const format = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < 2 || i === 6 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  return [format(HEADER), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(format)].join('\n')
}

function cellsOf(row: string, { id, label, unit, value, floor }: Measurement): string[] {
  const budget = BUDGETS[id]
  const met = isMet(id, value)
  return [
    row,
    label,
    `${number(value)} ${unit}`.trim(),
    floor === undefined ? '' : number(floor),
    floor === undefined ? '' : `${number(value / floor)}x`,
    budget ? `${budget.better === 'lower' ? '<=' : '>='} ${number(budget.limit)}` : '',
    met === undefined ? '' : met ? 'met' : 'MISSED',
  ]
}

/** Three digits say all that a noisy machine knows. */
function number(value: number): string {
  if (Number.isNaN(value)) return '?'
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US')
  return value.toPrecision(3)
}
