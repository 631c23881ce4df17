import { setTimeout as delay } from 'node:timers/promises'
import type { BenchOptions } from '../options.ts'
import type { Google } from '../stack/google.ts'
import { startMessageWorker } from '../stack/message-worker.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const CALLS_PER_SECOND = 500
/** Several outages of the circuit long, so that its probes are part of what is measured. */
const SETTLE_MS = 6_000

/** Row e: what a backlog of messages and an outage of their provider do to calls. */
export const lanes: Row = async (stack, options, run) => {
  const count = options.quick ? 5_000 : 100_000
  const { google } = stack
  if (!google) throw new Error('row e needs a stack with Google in it')
  await using _worker = await startMessageWorker(stack)

  const quiet = await calls(stack, options, `e${run}q`)
  await google.tell('fail')
  const submitted = await runLoad('messageBatches', {
    port: stack.port,
    licenseKey: stack.tenant.licenseKey,
    count,
  })
  await delay(SETTLE_MS)
  const loaded = await calls(stack, options, `e${run}l`)
  const waiting = await backlog(stack)
  const drained = await drain(stack, google, waiting)

  return {
    measurements: [
      { id: 'lanes-quiet-p99', label: 'calls, no messages, p99', unit: 'ms', value: quiet.p99 },
      {
        id: 'lanes-loaded-p50',
        label: `calls, ${count} messages wait, FCM is down, p50`,
        unit: 'ms',
        value: loaded.p50,
        floor: quiet.p50,
      },
      { id: 'lanes-loaded-p99', label: 'the same, p99', unit: 'ms', value: loaded.p99, floor: quiet.p99 },
      {
        id: 'lanes-change',
        label: 'the same, p99 beside that without',
        unit: '%',
        value: (loaded.p99 / quiet.p99 - 1) * 100,
      },
      { id: 'lanes-failed', label: 'calls without success', unit: '', value: quiet.failed + loaded.failed },
      { id: 'messages-waiting', label: 'messages that still waited then', unit: '', value: waiting },
      {
        id: 'messages-submitted',
        label: 'messages accepted by batches of 500',
        unit: '/s',
        value: submitted.perSecond,
      },
      {
        id: 'messages-drained',
        label: 'messages delivered when FCM is back',
        unit: '/s',
        value: drained.perSecond,
      },
      { id: 'messages-lost', label: 'messages neither delivered nor waiting', unit: '', value: drained.lost },
    ],
    details: { quiet, loaded, submitted, drained },
  }
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
