import { setTimeout as delay } from 'node:timers/promises'
import type { BenchOptions } from '../options.ts'
import { median } from '../report/medians.ts'
import type { Google } from '../stack/google.ts'
import { startMessageWorker } from '../stack/message-worker.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'
import type { Measurement, Row } from './measurement.ts'

const CALLS_PER_SECOND = 500
/** Several outages of the circuit long, so that its probes are part of what is measured. */
const SETTLE_MS = 6_000

/** The p99 of calls varies by half from one minute to the next, so one comparison says nothing. */
const PAIRS = 5

/** Row e: what a backlog of messages and an outage of their provider do to calls, without and with them in turn. */
export const lanes: Row = async (stack, options, run) => {
  const count = options.quick ? 5_000 : 100_000
  const { google } = stack
  if (!google) throw new Error('row e needs a stack with Google in it')
  await using _worker = await startMessageWorker(stack)
  const pairs: Pair[] = []
  for (let pair = 1; pair <= (options.quick ? 1 : PAIRS); pair += 1) {
    pairs.push(await measurePair(stack, google, options, { count, tag: `e${run}p${pair}` }))
  }
  return { measurements: measurementsOf(pairs, count), details: { pairs } }
}

type Pair = Awaited<ReturnType<typeof measurePair>>

/** Calls alone, then with the backlog; afterwards it is drained. */
async function measurePair(
  stack: Stack,
  google: Google,
  options: BenchOptions,
  { count, tag }: { count: number; tag: string },
) {
  const quiet = await calls(stack, options, `${tag}q`)
  await google.tell('fail')
  const { port, tenant } = stack
  const submitted = await runLoad('messageBatches', { port, licenseKey: tenant.licenseKey, count })
  await delay(SETTLE_MS)
  const loaded = await calls(stack, options, `${tag}l`)
  const waiting = await backlog(stack)
  const drained = await drain(stack, google, waiting)
  return { quiet, loaded, submitted, waiting, drained, change: (loaded.p99 / quiet.p99 - 1) * 100 }
}

function measurementsOf(pairs: readonly Pair[], count: number): Measurement[] {
  const of = (read: (pair: Pair) => number) => pairs.map(read)
  const middle = (read: (pair: Pair) => number) => median(of(read))
  const sum = (read: (pair: Pair) => number) => of(read).reduce((all, one) => all + one, 0)
  const changes = of(({ change }) => change)
  const lines: [string, string, Measurement['unit'], number, number?][] = [
    ['lanes-quiet-p99', 'calls, no messages, p99', 'ms', middle(({ quiet }) => quiet.p99)],
    [
      'lanes-loaded-p50',
      `calls, ${count} messages wait, FCM is down, p50`,
      'ms',
      middle(({ loaded }) => loaded.p50),
      middle(({ quiet }) => quiet.p50),
    ],
    [
      'lanes-loaded-p99',
      'the same, p99',
      'ms',
      middle(({ loaded }) => loaded.p99),
      middle(({ quiet }) => quiet.p99),
    ],
    ['lanes-change', `the same, p99 beside that without, median of ${pairs.length}`, '%', median(changes)],
    ['lanes-change-least', 'the same, least', '%', Math.min(...changes)],
    ['lanes-change-most', 'the same, most', '%', Math.max(...changes)],
    ['lanes-failed', 'calls without success', '', sum(({ quiet, loaded }) => quiet.failed + loaded.failed)],
    ['messages-waiting', 'messages that still waited then', '', middle(({ waiting }) => waiting)],
    [
      'messages-submitted',
      'messages accepted by batches of 500',
      '/s',
      middle(({ submitted }) => submitted.perSecond),
    ],
    [
      'messages-drained',
      'messages delivered when FCM is back',
      '/s',
      middle(({ drained }) => drained.perSecond),
    ],
    ['messages-lost', 'messages neither delivered nor waiting', '', sum(({ drained }) => drained.lost)],
  ]
  return lines.map(([id, label, unit, value, floor]) => ({
    ...{ id, label, unit, value },
    ...(floor !== undefined && { floor }),
  }))
}

async function calls({ recorder, port, tenant }: Stack, { quick }: BenchOptions, tag: string) {
  await recorder.reset()
  const load = await runLoad('pacedPushes', {
    perSecond: CALLS_PER_SECOND,
    warmUpMs: quick ? 1_500 : 4_000,
    measureMs: quick ? 3_000 : 15_000,
    port,
    licenseKey: tenant.licenseKey,
    tag,
  })
  const { latency } = await recorder.report()
  return { ...latency, failed: load.failed, answerMs: load.answerMs, generatorLoad: load.generatorLoad }
}

async function backlog({ db }: Stack): Promise<number> {
  const { rows } = await db.raw<{ rows: { count: number }[] }>('SELECT count(*) AS count FROM pending_pushes')
  return rows[0]?.count ?? 0
}

/** Google is back: everything goes out, and is counted there. */
async function drain(stack: Stack, google: Google, waiting: number) {
  const before = await google.tell('recover')
  const begin = performance.now()
  let left = waiting
  while (left > 0 && performance.now() - begin < 600_000) {
    await delay(500)
    left = await backlog(stack)
  }
  const seconds = (performance.now() - begin) / 1_000
  const after = await google.report()
  const accepted = after.accepted - before.accepted
  return {
    seconds,
    left,
    accepted,
    perSecond: accepted / seconds,
    lost: Math.max(0, waiting - left - accepted),
  }
}
