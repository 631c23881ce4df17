import type { BenchOptions } from '../options.ts'
import type { Stack } from '../stack/start-stack.ts'

/** One line of the table, as one run saw it. */
export interface Measurement {
  /** Names the line in results and budgets. */
  id: string
  label: string
  unit: 'ms' | '/s' | 'us' | 'kB' | 'MB' | '%' | ''
  value: number
  floor?: number
}

export interface RowResult {
  measurements: Measurement[]
  /** Everything else that was seen, for the results file. */
  details: unknown
}

export type Row = (stack: Stack, options: BenchOptions, run: number) => Promise<RowResult>
