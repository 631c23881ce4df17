import { openDatabase } from '../../src/db/database.ts'
import { HOUR } from '../../src/lib/units.ts'
import { fillHistory } from '../history/fill.ts'
import type { BenchOptions } from '../options.ts'
import { type PostgresStack, startPostgres } from '../stack/start-postgres.ts'
import { runLoad } from '../stack/task.ts'
import type { Measurement, RowResult } from './measurement.ts'

const RECORDS = 10_000_000
const QUICK_RECORDS = 300_000

/** A PostgreSQL full of call records. */
export async function startHistory({ quick }: BenchOptions) {
  await using opened = new AsyncDisposableStack()
  const stack = opened.use(await startPostgres())
  const db = opened.adopt(openDatabase(stack.postgres.url, { poolSize: 1, queryMs: HOUR }), (open) =>
    open.destroy(),
  )
  const records = quick ? QUICK_RECORDS : RECORDS
  const begin = performance.now()
  await fillHistory(db, records)
  const fillMs = performance.now() - begin
  const running = opened.move()
  return { ...stack, db, records, fillMs, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
type HistoryStack = PostgresStack & Awaited<ReturnType<typeof startHistory>>

/** Row h: the call history of two years: how fast the app gets a page, and what telling calls costs. */
export async function history(stack: HistoryStack, { quick }: BenchOptions): Promise<RowResult> {
  const databaseUrl = stack.postgres.url
  const pages = await runLoad('historyPages', { databaseUrl, probes: quick ? 100 : 1_000 })
  const scannedWhole = await runLoad('historyPlan', { databaseUrl })
  const writes = await runLoad('historyWrites', { databaseUrl, batches: quick ? 10 : 50 })
  const size = await sizeOf(stack)
  return {
    measurements: [
      ...Object.entries(pages.seen).flatMap(([name, { ms }]) => linesOf(name, ms)),
      {
        id: 'history-counted',
        label: 'counting its calls anew, p95',
        unit: 'ms',
        value: pages.counted.ms.p95,
      },
      {
        id: 'history-whole-tables',
        label: 'tables that a page reads from end to end',
        unit: '',
        value: scannedWhole.length,
      },
      { id: 'history-begun', label: '500 new calls told, p95', unit: 'ms', value: writes.begun.p95 },
      { id: 'history-ended', label: '500 ends of calls told, p95', unit: 'ms', value: writes.ended.p95 },
      {
        id: 'history-bytes',
        label: 'a call with its indexes',
        unit: 'kB',
        value: size / stack.records / 1_024,
      },
    ],
    details: { records: stack.records, fillMs: stack.fillMs, pages, scannedWhole, writes, size },
  }
}

function linesOf(name: string, ms: { p50: number; p95: number }): Measurement[] {
  const id = `history-${name.replaceAll(/\W+/g, '-')}`
  return [
    { id: `${id}-p50`, label: `${name}, p50`, unit: 'ms', value: ms.p50 },
    { id: `${id}-p95`, label: '  the same, p95', unit: 'ms', value: ms.p95 },
  ]
}

async function sizeOf({ db }: HistoryStack): Promise<number> {
  const { rows } = await db.raw<{ rows: { bytes: number }[] }>(
    `SELECT (pg_total_relation_size('call_records') + pg_total_relation_size('call_record_parties')
       + pg_total_relation_size('call_party_counts'))::float8 AS bytes`,
  )
  return rows[0]?.bytes ?? Number.NaN
}
