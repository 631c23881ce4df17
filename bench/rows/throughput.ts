import { setTimeout as delay } from 'node:timers/promises'
import type { BenchOptions } from '../options.ts'
import { type ProcessorReading, perUnit, readProcessors } from '../stack/processor-reading.ts'
import { processorTimeOfTree } from '../stack/processor-time.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const CALLERS = 100

/** Row c: pushes with their outcome, as many as it takes; and what each costs. */
export const throughput: Row = async (stack, options, run) => {
  const many = await pushes(stack, options, CALLERS, `c${run}x${CALLERS}`)
  const one = await pushes(stack, options, 1, `c${run}x1`)
  const raw = await runLoad('closedLoopRawPushes', {
    ready: stack.recorder.ready,
    inFlight: CALLERS,
    warmUpMs: 1_000,
    measureMs: options.quick ? 2_000 : 4_000,
  })
  const rows = await rowFloor(stack, options)
  const { api, worker, redis, postgres, simulator } = many.processorUs
  const us = (part: string, value: number) => ({
    id: `processor-${part}`,
    label: `  of it ${part}`,
    unit: 'us' as const,
    value,
  })

  return {
    measurements: [
      {
        id: 'pushes-per-second',
        label: `/v1/push with outcome, ${CALLERS} callers`,
        unit: '/s',
        value: many.load.perSecond,
        floor: raw.perSecond,
      },
      { id: 'pushes-p50', label: 'the same, p50', unit: 'ms', value: many.load.answerMs.p50 },
      { id: 'pushes-p99', label: 'the same, p99', unit: 'ms', value: many.load.answerMs.p99 },
      {
        id: 'processor-per-push',
        label: 'processor time per push, all of ours',
        unit: 'us',
        value: api + worker + redis + postgres,
        floor: raw.processorUs + rows.processorUs,
      },
      us('API', api),
      us('worker', worker),
      us('Redis', redis),
      { ...us('PostgreSQL', postgres), floor: rows.processorUs },
      { id: 'simulator-per-push', label: '  not of it: simulator', unit: 'us', value: simulator },
      {
        id: 'generator-load',
        label: '  generator, of a core',
        unit: '%',
        value: many.load.generatorLoad * 100,
      },
      {
        id: 'one-per-second',
        label: '/v1/push with outcome, 1 caller',
        unit: '/s',
        value: one.load.perSecond,
      },
      { id: 'one-p50', label: 'the same, p50', unit: 'ms', value: one.load.answerMs.p50 },
      { id: 'one-p99', label: 'the same, p99', unit: 'ms', value: one.load.answerMs.p99 },
      {
        id: 'pushes-unaccounted',
        label: 'answers, arrivals and rows that disagree',
        unit: '',
        value: many.unaccounted + one.unaccounted,
      },
    ],
    details: { many, one, raw, rows },
  }
}

async function pushes(stack: Stack, { quick }: BenchOptions, callers: number, tag: string) {
  const { recorder, port, tenant } = stack
  const readings: ProcessorReading[] = []
  await recorder.reset()
  const load = await runLoad(
    'closedLoopPushes',
    {
      port,
      licenseKey: tenant.licenseKey,
      tag,
      callers,
      warmUpMs: quick ? 2_000 : 4_000,
      measureMs: quick ? 4_000 : 12_000,
    },
    async () => void readings.push(await readProcessors(stack)),
  )
  const [before, after] = readings
  if (!before || !after) throw new Error('the generator did not say when to read')
  const rows = await settledRows(stack, tag, load.sent)
  const arrived = await recorder.report()
  const { delivered, sent } = load
  return {
    load,
    arrived,
    rows,
    processorUs: perUnit(before, after, load.measured / 1_000),
    // Every success has arrived and has a row that says so; every request has one row, and no row is left open.
    unaccounted:
      Math.abs(arrived.accepted - delivered) +
      arrived.repeated +
      Math.abs(rows.delivered - delivered) +
      Math.abs(rows.total - sent) +
      rows.open,
  }
}

interface RowCounts {
  total: number
  delivered: number
  open: number
}

/** Rows are written and closed after the answer; here they get ten seconds. */
async function settledRows({ db }: Stack, tag: string, sent: number): Promise<RowCounts> {
  for (let tries = 0; ; tries += 1) {
    const { rows } = await db.raw<{ rows: RowCounts[] }>(
      `SELECT count(*) AS total, count(*) FILTER (WHERE state = 'delivered') AS delivered,
         count(*) FILTER (WHERE closed_at IS NULL) AS open
       FROM push_logs WHERE call_id LIKE ?`,
      [`${tag}-%`],
    )
    const [counts] = rows
    if (counts && ((counts.total >= sent && counts.open === 0) || tries === 20)) return counts
    await delay(500)
  }
}

async function rowFloor({ postgres }: Stack, { quick }: BenchOptions) {
  const readings: number[] = []
  const seen = await runLoad(
    'batchedRows',
    { databaseUrl: postgres.url, batches: quick ? 20 : 60 },
    async () => void readings.push(await processorTimeOfTree(postgres.pid)),
  )
  const [before = 0, after = 0] = readings
  return { ...seen, processorUs: ((after - before) * 1_000) / seen.rows }
}
