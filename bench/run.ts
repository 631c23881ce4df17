import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureRedisBinary } from '../tests/support/redis-binary.ts'
import { type BenchOptions, type RowName, readOptions, USUAL_ROWS } from './options.ts'
import { medians } from './report/medians.ts'
import { writeResults } from './report/results-file.ts'
import { formatTable } from './report/table.ts'
import { drain } from './rows/drain.ts'
import { groupMessages } from './rows/group-messages.ts'
import { held } from './rows/held.ts'
import { history, startHistory } from './rows/history.ts'
import { lanes } from './rows/lanes.ts'
import { latency } from './rows/latency.ts'
import { licenses } from './rows/licenses.ts'
import { logins } from './rows/logins.ts'
import type { Row, RowResult } from './rows/measurement.ts'
import { pushLog, startPushLog } from './rows/push-log.ts'
import { release } from './rows/release.ts'
import { sockets } from './rows/sockets.ts'
import { throughput } from './rows/throughput.ts'
import { describeMachine } from './stack/machine.ts'
import { startStack } from './stack/start-stack.ts'

const rows: Record<Exclude<RowName, 'f' | 'h'>, Row> = {
  a: latency,
  b: release,
  c: throughput,
  d: held,
  e: lanes,
  g: licenses,
  i: logins,
  j: sockets,
  k: groupMessages,
  l: drain,
}

const options = readOptions(process.argv)
ensureRedisBinary()
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
    : await writeResults(results, options.only.join() === USUAL_ROWS.join() ? '' : options.only.join(''))
console.log(options.json ? JSON.stringify(results, null, 2) : formatTable(table))
if (profiles) console.error(`profiles of API and worker: ${profiles}`)
if (file) console.error(`everything that was seen: ${file}`)

async function measureAll({ only, runs }: BenchOptions) {
  const all: { row: RowName; runs: RowResult[] }[] = []
  for (const row of only) {
    // Each row gets fresh processes, so that none pays for what another one left behind.
    await using started = await startRow(row)
    const seen: RowResult[] = []
    for (let run = 1; run <= runs; run += 1) {
      console.error(`row ${row}, run ${run} of ${runs}`)
      seen.push(await started.measure(run))
    }
    all.push({ row, runs: seen })
  }
  return all
}

async function startRow(row: RowName) {
  await using opened = new AsyncDisposableStack()
  let measure: (run: number) => Promise<RowResult>
  if (row === 'f') {
    const stack = opened.use(await startPushLog(options))
    measure = (run) => pushLog(stack, options, run)
  } else if (row === 'h') {
    const stack = opened.use(await startHistory(options))
    measure = () => history(stack, options)
  } else {
    const stack = opened.use(
      await startStack(profiles && join(profiles, row), { google: row === 'e' || row === 'l' }),
    )
    measure = (run) => rows[row](stack, options, run)
  }
  const running = opened.move()
  return { measure, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
