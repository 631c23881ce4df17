import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../../src/db/database.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { createPendingPushStore } from '../../src/push/pending-push-store.ts'
import { promisedMessages } from '../load/promised-messages.ts'
import type { Google } from '../stack/google.ts'
import { startMessageWorker } from '../stack/message-worker.ts'
import { residentMemory } from '../stack/resident-memory.ts'
import type { Stack } from '../stack/start-stack.ts'
import type { Measurement, Row } from './measurement.ts'

const COUNT = 1_000_000
const QUICK_COUNT = 20_000
/** Rows of one commit. */
const BATCH = 2_000
const LOOK_EVERY_MS = 1_000
const LIMIT_MS = 40 * 60_000
const COUNT_MS = 60_000
const MB = 1_048_576

/** Row l: a million messages that are owed and of which the queue knows nothing, as after a Redis was lost; then a worker comes. */
export const drain: Row = async (stack, options) => {
  const { google } = stack
  if (!google) throw new Error('row l needs a stack with Google in it')
  const count = options.quick ? QUICK_COUNT : COUNT
  const filled = await fill(stack, count)
  await using worker = await startMessageWorker(stack)
  const drained = await watch(google, worker.pid, count)
  const left = await settled(stack)
  const { accepted } = await google.report()
  // What starts and what is warmed up needs memory; what leaks needs ever more.
  const { begin, end } = halves(drained.memory)
  const measurements: Measurement[] = [
    {
      id: 'drain-per-second',
      label: `${count} owed messages, delivered`,
      unit: '/s',
      value: accepted / drained.seconds,
    },
    {
      id: 'drain-memory',
      label: 'memory of the worker, the most',
      unit: 'MB',
      value: Math.max(...drained.memory) / MB,
    },
    {
      id: 'drain-growth',
      label: 'the most in the last quarter beside the most in the second',
      unit: '%',
      value: (end / begin - 1) * 100,
    },
    {
      id: 'drain-left',
      label: 'messages neither delivered nor owed any more',
      unit: '',
      value: count - accepted - left,
    },
  ]
  return { measurements, details: { filled, accepted, left, ...drained } }
}

/** Through the program's own store, because a million requests would take a quarter of an hour. */
async function fill({ db, env, tenant }: Stack, count: number) {
  const keyring = createKeyring(Buffer.from(env.WAKELINE_SECRET, 'hex'))
  const store = createPendingPushStore(db)
  const start = performance.now()
  for (const items of promisedMessages(keyring, tenant.tenantId, count, BATCH)) await store.accept(items)
  const seconds = (performance.now() - start) / 1_000
  return { seconds, perSecond: count / seconds }
}

/** By what has arrived: to count what is owed is work for the server that is measured. */
async function watch(google: Google, pid: number, count: number) {
  const memory: number[] = []
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1_000
  let accepted = 0
  while (accepted < count && seconds() * 1_000 < LIMIT_MS) {
    await delay(LOOK_EVERY_MS)
    memory.push(await residentMemory(pid))
    accepted = (await google.report()).accepted
  }
  return { seconds: seconds(), memory }
}

/** What is still owed once nothing becomes less any more. Over a table that has just lost a million rows it takes its time. */
async function settled({ env }: Stack): Promise<number> {
  const db = openDatabase(env.DATABASE_URL, { poolSize: 1, queryMs: COUNT_MS })
  try {
    for (let before = Number.POSITIVE_INFINITY; ; await delay(LOOK_EVERY_MS)) {
      const { rows } = await db.raw<{ rows: { count: number }[] }>(
        'SELECT count(*) AS count FROM pending_pushes',
      )
      const left = rows[0]?.count ?? 0
      if (left === 0 || left >= before) return left
      before = left
    }
  } finally {
    await db.destroy()
  }
}

function halves(memory: readonly number[]): { begin: number; end: number } {
  const quarter = Math.max(1, Math.floor(memory.length / 4))
  return {
    begin: Math.max(...memory.slice(quarter, 2 * quarter), memory[0] ?? 1),
    end: Math.max(...memory.slice(-quarter)),
  }
}
