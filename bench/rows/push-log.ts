import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../../src/db/database.ts'
import { DAY, HOUR } from '../../src/lib/units.ts'
import { createPushLogPartitionStore } from '../../src/push/push-log-partition-store.ts'
import type { SearchSeen } from '../load/push-log-searches.ts'
import type { BenchOptions } from '../options.ts'
import { FILLED_DAYS, fillPushLog } from '../push-log/fill.ts'
import { processorTimeOfTree } from '../stack/processor-time.ts'
import { type PostgresStack, startPostgres } from '../stack/start-postgres.ts'
import { runLoad } from '../stack/task.ts'
import type { Measurement, RowResult } from './measurement.ts'

const ROWS = 10_000_000
const QUICK_ROWS = 200_000

/** A PostgreSQL whose push log is full. */
export async function startPushLog({ quick }: BenchOptions) {
  await using opened = new AsyncDisposableStack()
  const stack = opened.use(await startPostgres())
  const db = opened.adopt(openDatabase(stack.postgres.url, { poolSize: 1, queryMs: HOUR }), (open) =>
    open.destroy(),
  )
  const rows = quick ? QUICK_ROWS : ROWS
  const begin = performance.now()
  await fillPushLog(db, rows)
  const fillMs = performance.now() - begin
  console.error(`${rows} rows in ${Math.round(fillMs / 1_000)} s`)
  const running = opened.move()
  return { ...stack, db, rows, fillMs, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
type PushLogStack = Awaited<ReturnType<typeof startPushLog>>

/** Row f: the push log of a month: what a row costs, how fast operators find it, how a day goes away. */
export async function pushLog(stack: PushLogStack, { quick }: BenchOptions, run: number): Promise<RowResult> {
  const writes = await writeRows(stack, quick ? 20 : 100)
  const searches = await runLoad('pushLogSearches', {
    databaseUrl: stack.postgres.url,
    probes: quick ? 50 : 300,
  })
  const dropped = await dropDay(stack, run)
  const size = await sizeOf(stack)
  const { bare, whole, opened, closed } = writes.processorUs
  const rate = writes.seen
  return {
    measurements: [
      {
        id: 'log-whole-rate',
        label: 'rows written whole, batches of 500',
        unit: '/s',
        value: rate.whole.perSecond,
        floor: rate.bare.perSecond,
      },
      { id: 'log-whole-us', label: '  PostgreSQL per row', unit: 'us', value: whole, floor: bare },
      {
        id: 'log-open-rate',
        label: 'rows opened',
        unit: '/s',
        value: rate.opened.perSecond,
        floor: rate.bare.perSecond,
      },
      { id: 'log-open-us', label: '  PostgreSQL per row', unit: 'us', value: opened, floor: bare },
      {
        id: 'log-close-rate',
        label: 'rows closed',
        unit: '/s',
        value: rate.closed.perSecond,
        floor: rate.bare.perSecond,
      },
      { id: 'log-close-us', label: '  PostgreSQL per row', unit: 'us', value: closed, floor: bare },
      ...Object.entries(searches).flatMap(([name, seen]) => linesOf(name, seen)),
      {
        id: 'search-whole-tables',
        label: 'partitions that a search reads from end to end',
        unit: '',
        value: Object.values(searches).reduce((sum, { plan }) => sum + plan.scannedWhole.length, 0),
      },
      {
        id: 'day-dropped',
        label: 'dropping a day while rows are written',
        unit: 'ms',
        value: dropped.dropMs,
      },
      { id: 'day-made', label: 'making a day while rows are written', unit: 'ms', value: dropped.makeMs },
      { id: 'day-stall', label: '  slowest batch meanwhile', unit: 'ms', value: dropped.written.batchMs.max },
      { id: 'day-lost', label: '  rows lost', unit: '', value: dropped.lost },
      { id: 'log-bytes', label: 'a row with its indexes', unit: 'kB', value: size.bytes / size.rows / 1_024 },
    ],
    details: { rows: stack.rows, fillMs: stack.fillMs, size, writes, searches, dropped },
  }
}

function linesOf(name: string, { ms }: SearchSeen): Measurement[] {
  const id = `search-${name.replaceAll(/\W+/g, '-')}`
  return [
    { id: `${id}-p50`, label: `search by ${name}, p50`, unit: 'ms', value: ms.p50 },
    { id: `${id}-p95`, label: '  the same, p95', unit: 'ms', value: ms.p95 },
  ]
}

/** Rates as the writer saw them, and processor time of all sessions of PostgreSQL. */
async function writeRows({ postgres }: PostgresStack, batches: number) {
  const readings = new Map<string, number>()
  const seen = await runLoad('pushLogWrites', { databaseUrl: postgres.url, batches }, async (mark) => {
    readings.set(mark, await processorTimeOfTree(postgres.pid))
  })
  const us = (name: keyof typeof seen) => {
    const used = (readings.get(`${name} ends`) ?? Number.NaN) - (readings.get(`${name} begins`) ?? Number.NaN)
    return (used * 1_000) / seen[name].rows
  }
  return {
    seen,
    processorUs: { bare: us('bare'), whole: us('whole'), opened: us('opened'), closed: us('closed') },
  }
}

/** The oldest day that is still there goes away, and a day far ahead comes, while a writer writes as fast as it can. */
async function dropDay({ db, postgres }: PushLogStack, run: number) {
  const partitions = createPushLogPartitionStore(db)
  const appId = `run-${run}`
  const timed = async (work: () => Promise<string[]>): Promise<{ ms: number; names: string[] }> => {
    const begin = performance.now()
    const names = await work()
    return { ms: performance.now() - begin, names }
  }
  const change = async () => {
    await delay(1_000)
    const dropped = await timed(() => partitions.dropBefore(Date.now() - (FILLED_DAYS - 1 - run) * DAY))
    await delay(500)
    return { dropped, made: await timed(() => partitions.ensure(Date.now() + (30 + run) * DAY, 1)) }
  }
  let changing: ReturnType<typeof change> | undefined
  const written = await runLoad(
    'pushLogWriter',
    { databaseUrl: postgres.url, appId, ms: 4_000 },
    async () => {
      changing = change()
    },
  )
  const changed = await changing
  if (!changed) throw new Error('the writer did not begin')
  const [counted] = await db('push_logs')
    .where({ app_id: appId })
    .where('accepted_at', '>', new Date(Date.now() - HOUR))
    .count()
  return {
    dropMs: changed.dropped.ms,
    makeMs: changed.made.ms,
    names: { dropped: changed.dropped.names, made: changed.made.names },
    written,
    lost: written.rows - Number(counted?.count),
  }
}

async function sizeOf({ db }: PushLogStack): Promise<{ bytes: number; rows: number }> {
  const { rows } = await db.raw<{ rows: { bytes: number; rows: number }[] }>(
    `SELECT sum(pg_total_relation_size(oid))::float8 AS bytes, sum(greatest(reltuples, 0))::float8 AS rows
     FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'push_logs'::regclass`,
  )
  return rows[0] ?? { bytes: Number.NaN, rows: Number.NaN }
}
