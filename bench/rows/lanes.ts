import { setTimeout as delay } from 'node:timers/promises'
import type { BenchOptions } from '../options.ts'
import { median } from '../report/medians.ts'
import type { Google } from '../stack/google.ts'
import { startMessageWorker } from '../stack/message-worker.ts'
import type { NodeProcess } from '../stack/node-process.ts'
import { processorTime } from '../stack/processor-time.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'
import type { Measurement, Row } from './measurement.ts'

const CALLS_PER_SECOND = 500
/** Several outages of the circuit long, so that its probes are part of what is measured. */
const SETTLE_MS = 6_000
/**
 * The p99 of calls varies by half from one phase to the next, and more on a machine that is shared, so it takes many that are close to
 * each other: with the messages' worker at work, and with it frozen, as if nobody had a backlog to see to.
 */
const PAIRS = 24

/** Row e: what a backlog of messages and an outage of their provider do to calls. */
export const lanes: Row = async (stack, options, run) => {
  const count = options.quick ? 5_000 : 100_000
  const { google, port, tenant } = stack
  if (!google) throw new Error('row e needs a stack with Google in it')
  await using worker = await startMessageWorker(stack)
  const alone = await calls(stack, options, `e${run}alone`, 15_000)
  await google.tell('fail')
  const submitted = await runLoad('messageBatches', { port, licenseKey: tenant.licenseKey, count })
  await delay(SETTLE_MS)

  const pairs: Pair[] = []
  for (let pair = 1; pair <= (options.quick ? 1 : PAIRS); pair += 1) {
    pairs.push(await measurePair(stack, options, worker, `e${run}p${pair}`))
  }
  const waiting = await backlog(stack)
  const drained = await drain(stack, google, waiting)
  return {
    measurements: measurementsOf({ alone, submitted, pairs, waiting, drained }, count),
    details: { alone, submitted, pairs, waiting, drained },
  }
}

type Pair = Awaited<ReturnType<typeof measurePair>>
type Calls = Awaited<ReturnType<typeof calls>>
interface Seen {
  alone: Calls
  submitted: { perSecond: number }
  pairs: readonly Pair[]
  waiting: number
  drained: Awaited<ReturnType<typeof drain>>
}

async function measurePair(stack: Stack, options: BenchOptions, worker: NodeProcess, tag: string) {
  process.kill(worker.pid, 'SIGSTOP')
  const frozen = await calls(stack, options, `${tag}f`).finally(() => process.kill(worker.pid, 'SIGCONT'))
  const [before, begin] = [await processorTime(worker.pid), performance.now()]
  const working = await calls(stack, options, `${tag}w`)
  const used = ((await processorTime(worker.pid)) - before) / (performance.now() - begin)
  return { frozen, working, workerPercent: used * 100, change: (working.p99 / frozen.p99 - 1) * 100 }
}

function measurementsOf({ alone, submitted, pairs, waiting, drained }: Seen, count: number): Measurement[] {
  const middle = (read: (pair: Pair) => number) => median(pairs.map(read))
  const all = [alone, ...pairs.flatMap(({ frozen, working }) => [frozen, working])]
  const changes = pairs.map(({ change }) => change).sort((a, b) => a - b)
  const quantile = (share: number) => changes[Math.round(share * (changes.length - 1))] ?? Number.NaN
  const lines: [string, string, Measurement['unit'], number, number?][] = [
    ['lanes-alone-p99', 'calls, no messages, p99', 'ms', alone.p99],
    [
      'lanes-loaded-p50',
      `calls, ${count} messages wait, FCM is down, p50`,
      'ms',
      middle(({ working }) => working.p50),
      middle(({ frozen }) => frozen.p50),
    ],
    [
      'lanes-loaded-p99',
      'the same, p99',
      'ms',
      middle(({ working }) => working.p99),
      middle(({ frozen }) => frozen.p99),
    ],
    ['lanes-change', `the same, beside a frozen worker, median of ${pairs.length}`, '%', median(changes)],
    ['lanes-change-quarter', 'a quarter of the pairs is below', '%', quantile(0.25)],
    ['lanes-change-three-quarters', 'a quarter of them is above', '%', quantile(0.75)],
    ['lanes-worker', "of a core for the messages' worker then", '%', middle((pair) => pair.workerPercent)],
    ['lanes-failed', 'calls without success', '', all.reduce((sum, { failed }) => sum + failed, 0)],
    ['messages-waiting', 'messages that still waited then', '', waiting],
    ['messages-submitted', 'messages accepted by batches of 500', '/s', submitted.perSecond],
    ['messages-drained', 'messages delivered when FCM is back', '/s', drained.perSecond],
    ['messages-lost', 'messages neither delivered nor waiting', '', drained.lost],
  ]
  return lines.map(([id, label, unit, value, floor]) => ({
    ...{ id, label, unit, value },
    ...(floor !== undefined && { floor }),
  }))
}

async function calls(
  { recorder, port, tenant }: Stack,
  { quick }: BenchOptions,
  tag: string,
  measureMs = 5_000,
) {
  await recorder.reset()
  const load = await runLoad('pacedPushes', {
    perSecond: CALLS_PER_SECOND,
    warmUpMs: 1_500,
    measureMs: quick ? 3_000 : measureMs,
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
