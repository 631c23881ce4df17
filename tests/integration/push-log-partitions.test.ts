import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { DAY, HOUR } from '../../src/lib/units.ts'
import { createIdempotencyKeyStore } from '../../src/push/idempotency-key-store.ts'
import { createPushLogPartitionStore } from '../../src/push/push-log-partition-store.ts'
import { createPushLogStore } from '../../src/push/push-log-store.ts'
import { maintainPushLogs } from '../../workers/maintain-push-logs.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase, type TestDatabase } from '../support/databases.ts'
import { startTestGateway } from '../support/gateway.ts'
import { callPush, endOf } from '../support/logged-pushes.ts'

let database: TestDatabase
let db: Knex
beforeEach(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url)
})
afterEach(async () => {
  await db.destroy()
  await database.drop()
})

/** Far from the days that the migration has made. */
const MONDAY = Date.UTC(2031, 4, 5)
const attempt = {
  number: 1,
  environment: 'production',
  sentAt: MONDAY,
  answeredAt: MONDAY,
  outcome: 'retry',
  class: 'transient',
  reason: 'busy',
} as const

/** A push with a try at each of these times; returns their ids. */
async function givenPushes(times: readonly number[]): Promise<string[]> {
  const store = createPushLogStore(db)
  const pushes = times.map((acceptedAt) => callPush({ acceptedAt, expiresAt: acceptedAt + 30_000 }))
  await store.close(pushes.map((push) => ({ push, result: endOf(push.id, 'delivered') })))
  await store.addAttempts(pushes.map((push) => ({ push, attempt })))
  return pushes.map(({ id }) => id)
}

/** Which rows lie where, by the names of the partitions. */
async function places(table: 'push_logs' | 'push_attempts'): Promise<Record<string, string[]>> {
  const id = table === 'push_logs' ? 'id' : 'push_id'
  const { rows } = await db.raw<{ rows: { place: string; ids: string[] }[] }>(
    `SELECT tableoid::regclass::text AS place, array_agg(${id}::text ORDER BY accepted_at) AS ids FROM ${table} GROUP BY 1`,
  )
  return Object.fromEntries(rows.map(({ place, ids }) => [place, ids]))
}

async function partitions(): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { name: string }[] }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits
     WHERE inhparent IN ('push_logs'::regclass, 'push_attempts'::regclass) ORDER BY 1`,
  )
  return rows.map(({ name }) => name)
}

test('days are made once, and the rows of a day lie in its partition from midnight to midnight in UTC', async () => {
  const store = createPushLogPartitionStore(db)
  const names = ['20310505', '20310506'].flatMap((day) => [`push_attempts_${day}`, `push_logs_${day}`])
  expect((await store.ensure(MONDAY + 5 * HOUR, 2)).sort()).toEqual(names.sort())
  expect(await store.ensure(MONDAY, 2)).toEqual([])
  expect(await partitions()).toEqual(expect.arrayContaining(names))

  const [before, first, last, after] = await givenPushes([MONDAY - 1, MONDAY, MONDAY + DAY - 1, MONDAY + DAY])
  for (const table of ['push_logs', 'push_attempts'] as const) {
    expect(await places(table)).toEqual({
      [`${table}_default`]: [before],
      [`${table}_20310505`]: [first, last],
      [`${table}_20310506`]: [after],
    })
  }
})

test('a day has every index and check of the log', async () => {
  await createPushLogPartitionStore(db).ensure(MONDAY, 1)
  const shapeOf = async (table: string) => {
    const { rows } = await db.raw<{ rows: { definition: string }[] }>(
      `SELECT regexp_replace(indexdef, '^.* USING ', '') AS definition FROM pg_indexes WHERE tablename = :table
       UNION SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) ORDER BY 1`,
      { table },
    )
    return rows.map(({ definition }) => definition)
  }
  for (const table of ['push_logs', 'push_attempts']) {
    const expected = await shapeOf(`${table}_default`)
    expect(expected.length).toBeGreaterThan(1)
    expect(await shapeOf(`${table}_20310505`)).toEqual(expected)
  }
})

test('nodes that make and drop days at once do each of it once', async () => {
  const pools = Array.from({ length: 5 }, () => openDatabase(database.url, { poolSize: 1 }))
  try {
    const stores = pools.map(createPushLogPartitionStore)
    const made = await Promise.all(stores.map((store) => store.ensure(MONDAY, 7)))
    expect(made.flat()).toHaveLength(14)
    expect(new Set(made.flat()).size).toBe(14)
    await Promise.all(stores.map((store) => store.dropBefore(MONDAY + 3 * DAY)))
    expect((await partitions()).filter((name) => name.includes('203105'))).toHaveLength(8)
  } finally {
    await Promise.all(pools.map((pool) => pool.destroy()))
  }
})

test('rows that came before their day move into it, and others stay', async () => {
  const times = [MONDAY - 1, MONDAY, MONDAY + HOUR, MONDAY + DAY - 1, MONDAY + DAY]
  const [before, ...rest] = await givenPushes(times)
  const after = rest.pop()
  await createPushLogPartitionStore(db).ensure(MONDAY, 1)
  for (const table of ['push_logs', 'push_attempts'] as const) {
    expect(await places(table)).toEqual({
      [`${table}_default`]: [before, after],
      [`${table}_20310505`]: rest,
    })
  }
})

test('while days are made and filled, pushes are opened and closed, and none is lost', async () => {
  await using opened = new AsyncDisposableStack()
  const pool = opened.adopt(openDatabase(database.url, { poolSize: 2 }), (open) => open.destroy())
  const writer = createPushLogStore(pool)
  const pushes = Array.from({ length: 300 }, (_, i) => callPush({ acceptedAt: MONDAY + (i % 4) * DAY }))
  let isMade = false
  const write = async () => {
    for (let at = 0; at < pushes.length; at += 10) {
      const batch = pushes.slice(at, at + 10)
      await writer.open(batch)
      await writer.close(batch.map((push) => ({ push, result: endOf(push.id, 'delivered') })))
    }
  }
  const make = async () => {
    await until(async () => (await db('push_logs').first('id')) !== undefined, {
      description: 'rows are there',
    })
    await createPushLogPartitionStore(db).ensure(MONDAY, 3)
    isMade = true
  }
  await Promise.all([write(), make()])
  expect(isMade).toBe(true)
  const rows = await db('push_logs').select('id', 'state')
  expect(rows.map(({ id }) => id).sort()).toEqual(pushes.map(({ id }) => id).sort())
  expect(rows.every(({ state }) => state === 'delivered')).toBe(true)
  expect(Object.keys(await places('push_logs')).sort()).toEqual([
    'push_logs_20310505',
    'push_logs_20310506',
    'push_logs_20310507',
    'push_logs_default',
  ])
})

test('retention drops the days before the given one and nothing else, with or without a partition', async () => {
  const store = createPushLogPartitionStore(db)
  await store.ensure(MONDAY, 3)
  const times = [MONDAY - DAY, MONDAY, MONDAY + DAY - 1, MONDAY + DAY, MONDAY + 2 * DAY, MONDAY + 3 * DAY]
  const [, , , ...kept] = await givenPushes(times)
  const future = MONDAY + 30 * DAY
  const [far] = await givenPushes([future])

  const dropped = await store.dropBefore(MONDAY + DAY + 17 * HOUR)
  expect(dropped).toEqual(expect.arrayContaining(['push_logs_20310505', 'push_attempts_20310505']))
  expect(dropped).not.toEqual(expect.arrayContaining(['push_logs_20310506']))
  for (const table of ['push_logs', 'push_attempts'] as const) {
    const found = Object.values(await places(table)).flat()
    expect(found.sort()).toEqual([...kept, far].sort())
  }
  expect(await store.dropBefore(MONDAY + DAY)).toEqual([])
})

test('whoever reads for long does not hold up pushes behind a drop: it gives up and comes again', async () => {
  const store = createPushLogPartitionStore(db)
  await store.ensure(MONDAY, 2)
  await givenPushes([MONDAY])
  const reader = await db.transaction()
  await reader('push_logs').count()
  const dropping = store.dropBefore(MONDAY + DAY)
  const writing = givenPushes([MONDAY + DAY])
  await expect(dropping).rejects.toThrow('lock timeout')
  await writing
  expect(Object.keys(await places('push_logs'))).toContain('push_logs_20310505')
  await reader.rollback()
  await store.dropBefore(MONDAY + DAY)
  expect(Object.keys(await places('push_logs'))).toEqual(['push_logs_20310506'])
})

test('old idempotency keys are forgotten, however many there are', async () => {
  await db.raw(
    `INSERT INTO idempotency_keys (push_id, request_hash, created_at)
     SELECT gen_random_uuid(), '', to_timestamp(:monday / 1000.0) + (n - 11000) * interval '1 second'
     FROM generate_series(1, 11009) AS n`,
    { monday: MONDAY },
  )
  expect(await createIdempotencyKeyStore(db).deleteBefore(MONDAY)).toBe(10_999)
  expect(await db('idempotency_keys').select('push_id')).toHaveLength(10)
})

describe('the housekeeping', () => {
  const maintained = async (
    now: number,
    act: (context: Parameters<typeof maintainPushLogs>[0]) => unknown,
  ) => {
    await using gateway = await startTestGateway({
      backend: 'postgres',
      workers: false,
      databaseUrl: database.url,
      env: { PUSH_LOG_DAYS: '3' },
    })
    await act({ ...gateway.context, clock: { now: () => now, monotonic: () => now } })
  }

  test('keeps a week of days ahead and as many behind as it is told', async () => {
    const [old] = await givenPushes([MONDAY - 4 * DAY])
    const [kept] = await givenPushes([MONDAY - 3 * DAY])
    await db('idempotency_keys').insert([
      { push_id: old, request_hash: '', created_at: new Date(MONDAY - 26 * HOUR) },
      { push_id: kept, request_hash: '', created_at: new Date(MONDAY - 24 * HOUR) },
    ])
    await maintained(MONDAY, maintainPushLogs)
    const days = (await partitions()).filter((name) => /push_logs_2031/.test(name))
    expect(days).toHaveLength(9)
    expect([days[0], days.at(-1)]).toEqual(['push_logs_20310504', 'push_logs_20310512'])
    expect(await places('push_logs')).toEqual({ push_logs_default: [kept] })
    expect(await db('idempotency_keys').pluck('push_id')).toEqual([kept])
  })

  test('does what it can when one of its parts fails, and says that one did', async () => {
    const [old] = await givenPushes([MONDAY - 4 * DAY])
    await maintained(MONDAY, async (context) => {
      const broken = { ...context.pushLogPartitions, ensure: () => Promise.reject(new Error('no room')) }
      await expect(maintainPushLogs({ ...context, pushLogPartitions: broken })).rejects.toThrow('no room')
    })
    expect(Object.values(await places('push_logs')).flat()).not.toContain(old)
  })

  test.each(['redis', 'postgres'] as const)(
    'is done when a worker starts, also long before its hour has come (%s)',
    async (backend) => {
      const start = () =>
        startTestGateway({
          backend,
          databaseUrl: database.url,
          env: { QUEUE_PREFIX: `t${database.url.slice(-16)}` },
        })
      const day = (await partitions()).findLast((name) => /^push_logs_\d/.test(name)) ?? ''
      const isThere = async () => (await partitions()).includes(day)
      for (const what of ['first', 'second']) {
        await db.raw('DROP TABLE ??', [day])
        await using gateway = await start()
        await until(isThere, { description: `the ${what} worker has made the day` })
        // The job that comes with a new schedule has run, too, before the day is dropped again.
        const { raw } = gateway.context.queues
        const chores = () => raw.get('housekeeping')?.getJobs(['waiting', 'active'])
        const isIdle = async () => !(await chores())?.some((job) => job?.name === 'maintain-push-logs')
        await until(isIdle, { description: 'the job has run' })
      }
    },
  )
})
