import { Command, InvalidArgumentError } from 'commander'

export const ROWS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'] as const
export type RowName = (typeof ROWS)[number]
/** These fill gigabytes of disk, or take a quarter of an hour each time, so they want to be asked for. */
const ASKED_FOR: readonly string[] = ['f', 'h', 'l']
export const USUAL_ROWS = ROWS.filter((row) => !ASKED_FOR.includes(row))

export interface BenchOptions {
  only: readonly RowName[]
  /** Every row is measured this often; the table shows medians. */
  runs: number
  /** Short phases: tells whether the bench works, not how fast the program is. */
  quick: boolean
  /** Writes a processor profile of API and worker. */
  profile: boolean
  json: boolean
  /** Held calls of row d. */
  holds: number
}

export function readOptions(argv: readonly string[]): BenchOptions {
  const given = new Command('bench')
    .description('Measures the budgets: everything on this machine, in processes of its own')
    .option('--only <rows>', `some of ${ROWS.join()}`, rows, USUAL_ROWS)
    .option('--runs <count>', 'times that each row is measured', count, 3)
    .option('--quick', 'one short run', false)
    .option('--profile', 'write a processor profile of API and worker', false)
    .option('--json', 'print the results as JSON in place of the table', false)
    .option('--holds <count>', 'calls held at once in row d', count, 1_000)
    .parse(argv)
    .opts<BenchOptions>()
  return given.quick ? { ...given, runs: 1 } : given
}

function rows(text: string): RowName[] {
  const names = text.split(',')
  const unknown = names.find((name) => !ROWS.some((row) => row === name))
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no row ${unknown}.`)
  return ROWS.filter((row) => names.includes(row))
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Not a positive number.')
  return value
}
