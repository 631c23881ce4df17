import fc from 'fast-check'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { newId } from '../../src/lib/ids.ts'
import type { ClosedState, Push } from '../../src/push/push.ts'
import { createPushLog, MAX_KEPT } from '../../src/push/push-log.ts'
import { createPushLogStore } from '../../src/push/push-log-store.ts'
import type { PushResult } from '../../src/push/push-result.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase, type TestDatabase } from '../support/databases.ts'

let database: TestDatabase
let db: Knex
const tenantId = newId()
beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url)
})
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

const TOKEN = 'the-token-in-clear'
const push = (change: Partial<Push> = {}): Push => ({
  id: newId(),
  tenantId,
  kind: 'call',
  provider: 'apns',
  environment: 'production',
  appId: 'default',
  token: TOKEN,
  tokenHash: 'ab'.repeat(32),
  content: { callId: 'a@b', callUuid: newId(), callerId: '0301234567' },
  acceptedAt: 1_700_000_000_123,
  expiresAt: 1_700_000_030_123,
  ...change,
})
const ended = (id: string, state: ClosedState, change: Partial<PushResult> = {}): PushResult => ({
  id,
  state,
  attempts: 1,
  closedAt: 1_700_000_001_000,
  ...change,
})
const rowOf = (id: string) => db('push_logs').where({ id }).first()

test('a push has one row from its acceptance to its end, with the times of each step and no token', async () => {
  const store = createPushLogStore(db)
  const one = push({ extension: '100' })
  await store.open([one])
  expect(await rowOf(one.id)).toMatchObject({
    state: 'queued',
    attempts: 0,
    extension: '100',
    closed_at: null,
  })
  const times = { startedAt: 1_700_000_000_200, sentAt: 1_700_000_000_201, answeredAt: 1_700_000_000_300 }
  await store.close([{ push: one, result: ended(one.id, 'delivered', { providerId: 'apple-1', ...times }) }])
  const row = await rowOf(one.id)
  expect(row).toMatchObject({ state: 'delivered', provider_id: 'apple-1', sent_at: new Date(times.sentAt) })
  expect(JSON.stringify(row)).not.toContain(TOKEN)
  expect(JSON.stringify(row)).not.toContain('0301234567')
  expect(await store.find(tenantId, one.id)).toMatchObject({
    state: 'delivered',
    acceptedAt: one.acceptedAt,
    ...times,
  })
  expect(await store.find(newId(), one.id)).toBeUndefined()
})

test('a row never goes back, in whatever order its events are written', async () => {
  const store = createPushLogStore(db)
  const states = fc.constantFrom<ClosedState>('delivered', 'token_dead', 'rejected', 'expired', 'failed')
  const event = fc.oneof(fc.constant('open' as const), states)
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 6 }), async (events) => {
      const one = push()
      for (const what of events) {
        if (what === 'open') await store.open([one])
        else await store.close([{ push: one, result: ended(one.id, what) }])
      }
      const first = events.find((what) => what !== 'open')
      expect((await rowOf(one.id)).state).toBe(first ?? 'queued')
    }),
    { numRuns: 40 },
  )
})

test('two ends of one push in one batch count once', async () => {
  const one = push()
  await createPushLogStore(db).close([
    { push: one, result: ended(one.id, 'delivered') },
    { push: one, result: ended(one.id, 'failed') },
  ])
  expect((await rowOf(one.id)).state).toBe('delivered')
})

test('rows are written in batches', async () => {
  const store = createPushLogStore(db)
  let statements = 0
  const counted = {
    ...store,
    open: (pushes: readonly Push[]) => {
      statements += 1
      return store.open(pushes)
    },
  }
  const log = createPushLog(counted, fail)
  await Promise.all(Array.from({ length: 1_000 }, () => log.opened(push())))
  expect(statements).toBeLessThanOrEqual(3)
})

test('the row of a push that waits is opened in a moment, and that of an answered one is not', async () => {
  const log = createPushLog(createPushLogStore(db), fail)
  const [waits, answered] = [push(), push()]
  const begin = performance.now()
  log.openLate(answered)
  log.openLate(waits)
  log.answered(answered.id)
  await until(() => rowOf(waits.id), { description: 'the row is opened' })
  expect(performance.now() - begin).toBeGreaterThanOrEqual(95)
  expect(performance.now() - begin).toBeLessThan(1_000)
  expect(await rowOf(answered.id)).toBeUndefined()
  // The end of a push carries everything.
  await log.closed(answered, ended(answered.id, 'delivered'))
  expect(await rowOf(answered.id)).toMatchObject({ state: 'delivered', call_id: 'a@b' })
})

test('a stop writes the rows that were still to be opened', async () => {
  const log = createPushLog(createPushLogStore(db), fail)
  const one = push()
  log.openLate(one)
  await log.drain(5_000)
  expect((await rowOf(one.id)).state).toBe('queued')
})

test('with the database away the ends of pushes are kept and written when it is back', async () => {
  const store = createPushLogStore(db)
  const errors: Error[] = []
  let away = true
  const shaky = {
    ...store,
    close: (all: Parameters<typeof store.close>[0]) =>
      away ? Promise.reject(new Error('away')) : store.close(all),
  }
  const log = createPushLog(shaky, (error) => errors.push(error))
  const one = push()
  const closed = log.closed(one, ended(one.id, 'delivered'))
  await until(() => errors.length > 0, { description: 'the first try has failed' })
  expect(log.pending()).toBe(1)
  away = false
  await closed
  expect(log.pending()).toBe(0)
  expect((await rowOf(one.id)).state).toBe('delivered')
})

test('with the database away for long, memory is bounded and what is lost is said', async () => {
  const never = { ...createPushLogStore(db), close: () => new Promise<never>(() => undefined) }
  const log = createPushLog(never, fail)
  for (let i = 0; i < MAX_KEPT; i += 1) void log.closed(push(), ended('x', 'delivered')).catch(fail)
  expect(log.pending()).toBe(MAX_KEPT)
  const one = push()
  await expect(log.closed(one, ended(one.id, 'delivered'))).rejects.toThrow(
    `push log is ${MAX_KEPT} rows behind; the end of push ${one.id} is not recorded`,
  )
})

test('what nobody closed is closed with the known outcome, or as failed with a reason', async () => {
  const store = createPushLogStore(db)
  const [known, lost, alive] = [push({ expiresAt: 1_000 }), push({ expiresAt: 1_000 }), push()]
  await store.open([known, lost, alive])
  const stale = await store.stale(2_000, 100)
  expect(stale.sort()).toEqual([known.id, lost.id].sort())
  expect(await store.closeStale(stale, [ended(known.id, 'delivered')], 3_000)).toBe(2)
  expect((await rowOf(known.id)).state).toBe('delivered')
  expect(await rowOf(lost.id)).toMatchObject({
    state: 'failed',
    reason: 'no_outcome',
    closed_at: new Date(3_000),
  })
  expect((await rowOf(alive.id)).state).toBe('queued')
  expect(await store.stale(2_000, 100)).toEqual([])
})

const fail = (error: Error) => {
  throw error
}
