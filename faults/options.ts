import { randomInt } from 'node:crypto'
import { Command, InvalidArgumentError } from 'commander'
import { ROW_NAMES, type RowName } from './rows/rows.ts'

export interface FaultOptions {
  only: readonly RowName[]
  repeat: number
  /** Of the first run; each further one has the next number. */
  seed: number
  /** Less load for less time: tells whether the faults work, and finds coarse defects. */
  quick: boolean
  json: boolean
}

export function readOptions(argv: readonly string[]): FaultOptions {
  return new Command('faults')
    .description('Hurts a cluster of real processes in many ways and checks that every promise is kept')
    .option('--only <rows>', `some of ${ROW_NAMES.join()}`, rows, ROW_NAMES)
    .option('--repeat <count>', 'runs of each row', count, 1)
    .option('--seed <number>', 'the same seed gives the same load', count, randomInt(1, 1_000_000))
    .option('--quick', 'little load for a short time', false)
    .option('--json', 'print the results as JSON in place of the table', false)
    .parse(argv)
    .opts<FaultOptions>()
}

function rows(text: string): RowName[] {
  const names = text.toUpperCase().split(',')
  const unknown = names.find((name) => !ROW_NAMES.some((row) => row === name))
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no row ${unknown}.`)
  return ROW_NAMES.filter((row) => names.includes(row))
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Not a positive number.')
  return value
}
