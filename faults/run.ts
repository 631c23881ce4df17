import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeMachine } from '../bench/stack/machine.ts'
import { ensureRedisBinary } from '../tests/support/redis-binary.ts'
import { type FaultOptions, readOptions } from './options.ts'
import { writeResults } from './report/results-file.ts'
import { type RowSummary, summarizeRow } from './report/row-summary.ts'
import { formatTable } from './report/table.ts'
import { ROW_NAMES, type RowName, rowOf } from './rows/rows.ts'
import { type RunResult, runRow } from './run-row.ts'

const options = readOptions(process.argv)
ensureRedisBinary()
const machine = describeMachine()
const rows = await runAll(options)
const isWhole = options.only.length === ROW_NAMES.length
const results = { options, machine, rows }
const file = options.quick ? undefined : await writeResults(results, isWhole ? '' : options.only.join('-'))
console.log(options.json ? JSON.stringify(results, null, 2) : formatTable(rows.map(({ summary }) => summary)))
if (file) console.error(`everything that was seen: ${file}`)
if (rows.some(({ summary }) => !summary.isKept)) process.exitCode = 1

async function runAll({ only, repeat, seed, quick }: FaultOptions) {
  const all: { summary: RowSummary; runs: Omit<RunResult, 'logs'>[] }[] = []
  for (const name of only) {
    const runs: Omit<RunResult, 'logs'>[] = []
    for (let run = 0; run < repeat; run += 1) runs.push(await runOnce(name, seed + run, quick))
    all.push({ summary: summarizeRow(name, rowOf(name), runs), runs })
  }
  return all
}

/** What the programs said is kept when there is something to look for in it. */
async function runOnce(name: RowName, seed: number, isShort: boolean): Promise<Omit<RunResult, 'logs'>> {
  console.error(`${name}: ${rowOf(name).title} (seed ${seed})`)
  const { logs, ...result } = await runRow(rowOf(name), { seed, isShort })
  for (const { equation, count, examples } of result.violations) {
    console.error(`  ${equation}: ${count}, such as ${examples[0]}`)
  }
  if (result.violations.length > 0) {
    const path = join(await mkdtemp(join(tmpdir(), 'wakeline-faults-')), `${name}.log`)
    await writeFile(path, logs)
    console.error(`  what the programs said: ${path}`)
  }
  return result
}
