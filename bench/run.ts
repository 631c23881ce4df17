import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchOptions, ROWS, type RowName, readOptions } from './options.ts'
import { medians } from './report/medians.ts'
import { writeResults } from './report/results-file.ts'
import { formatTable } from './report/table.ts'
import { held } from './rows/held.ts'
import { latency } from './rows/latency.ts'
import type { Row, RowResult } from './rows/measurement.ts'
import { release } from './rows/release.ts'
import { throughput } from './rows/throughput.ts'
import { describeMachine } from './stack/machine.ts'
import { startStack } from './stack/start-stack.ts'

const rows: Record<RowName, Row> = { a: latency, b: release, c: throughput, d: held }

const options = readOptions(process.argv)
const profiles = options.profile ? await mkdtemp(join(tmpdir(), 'wakeline-profile-')) : undefined
const machine = describeMachine()
const measured = await measureAll(options)
const table = measured.map(({ row, runs }) => ({
  row,
  lines: medians(runs.map(({ measurements }) => measurements)),
}))
const results = { options, machine, table, measured }
const file =
  options.quick || options.profile
    ? undefined
    : await writeResults(results, options.only.length < ROWS.length ? options.only.join('') : '')
console.log(options.json ? JSON.stringify(results, null, 2) : formatTable(table))
if (profiles) console.error(`profiles of API and worker: ${profiles}`)
if (file) console.error(`everything that was seen: ${file}`)

async function measureAll({ only, runs }: BenchOptions) {
  const all: { row: RowName; runs: RowResult[] }[] = []
  for (const row of only) {
    // Each row gets fresh processes, so that none pays for what another one left behind.
    await using stack = await startStack(profiles && join(profiles, row))
    const seen: RowResult[] = []
    for (let run = 1; run <= runs; run += 1) {
      console.error(`row ${row}, run ${run} of ${runs}`)
      seen.push(await rows[row](stack, options, run))
    }
    all.push({ row, runs: seen })
  }
  return all
}
