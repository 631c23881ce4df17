import fc from 'fast-check'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { newId } from '../../src/lib/ids.ts'
import type { ClosedState, Push, PushOf } from '../../src/push/push.ts'
import { createPushLog, MAX_KEPT } from '../../src/push/push-log.ts'
import { createPushLogStore, type PushLogStore } from '../../src/push/push-log-store.ts'
import type { PushAttempt } from '../../src/push/push-result.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase, type TestDatabase } from '../support/databases.ts'
import { callPush, endOf as ended, SECRETS } from '../support/logged-pushes.ts'

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

const push = (change: Partial<PushOf<'call'>> = {}) => callPush({ tenantId, ...change })
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
  const answer = { providerId: 'apple-1', providerStatus: 200 }
  await store.close([{ push: one, result: ended(one.id, 'delivered', { ...answer, ...times }) }])
  const row = await rowOf(one.id)
  expect(row).toMatchObject({ state: 'delivered', provider_id: 'apple-1', sent_at: new Date(times.sentAt) })
  expect(JSON.stringify(row)).not.toContain(SECRETS.token)
  expect(JSON.stringify(row)).not.toContain(SECRETS.callerId)
  expect(await store.find(tenantId, one.id)).toMatchObject({
    kind: 'call',
    callId: 'a@b',
    state: 'delivered',
    tokenState: 'valid',
    acceptedAt: one.acceptedAt,
    ...answer,
    ...times,
  })
  expect(await store.find(newId(), one.id)).toBeUndefined()
})

test('a push about no call has a row, too, and what became of its token', async () => {
  const store = createPushLogStore(db)
  const { content, ...rest } = push()
  const badge: PushOf<'badge'> = { ...rest, kind: 'badge', content: { badge: 3 } }
  const result = ended(badge.id, 'token_dead', {
    reason: 'Unregistered',
    providerStatus: 410,
    tokenState: 'dead',
  })
  await store.close([{ push: badge, result }])
  const found = await store.find(tenantId, badge.id)
  expect(found).toMatchObject({
    kind: 'badge',
    tokenState: 'dead',
    providerStatus: 410,
    reason: 'Unregistered',
  })
  expect(found).not.toHaveProperty('callId')
})

test('a row never goes back, in whatever order its events are written, on whatever day', async () => {
  const store = createPushLogStore(db)
  const states = fc.constantFrom<ClosedState>('delivered', 'token_dead', 'rejected', 'expired', 'failed')
  const what = fc.oneof(fc.constant('open' as const), states)
  // The same id on two days is two pushes: an idempotency key may come back. One has a partition, the other has none.
  const event = fc.record({ what, day: fc.constantFrom('today', 'long ago') })
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 8 }), async (events) => {
      const old = push()
      const pushes = { 'long ago': old, today: { ...old, acceptedAt: Date.now() } }
      for (const { what, day } of events) {
        const one = pushes[day]
        if (what === 'open') await store.open([one])
        else await store.close([{ push: one, result: ended(one.id, what) }])
      }
      for (const day of ['today', 'long ago'] as const) {
        const own = events.filter((event) => event.day === day).map((event) => event.what)
        const rows = await db('push_logs').where({
          id: old.id,
          accepted_at: new Date(pushes[day].acceptedAt),
        })
        const first = own.find((what) => what !== 'open')
        expect(rows.map(({ state }) => state)).toEqual(own.length > 0 ? [first ?? 'queued'] : [])
      }
    }),
    { numRuns: 60 },
  )
})

test('an id that comes back after its day means the newest push', async () => {
  const store = createPushLogStore(db)
  const old = push()
  const young = { ...old, acceptedAt: Date.now() }
  await store.close([{ push: old, result: ended(old.id, 'failed') }])
  await store.close([{ push: young, result: ended(old.id, 'delivered') }])
  expect(await store.find(tenantId, old.id)).toMatchObject({
    state: 'delivered',
    acceptedAt: young.acceptedAt,
  })
})

test('of two who close a push at once one wins, and the row is of one piece', async () => {
  const stores = [createPushLogStore(db), createPushLogStore(db)] as const
  const pushes = Array.from({ length: 200 }, () => push({ acceptedAt: Date.now() }))
  await stores[0].open(pushes.slice(0, 100))
  const close = (store: (typeof stores)[number], state: ClosedState, reason: string) =>
    store.close(
      pushes.map((one) => ({ push: one, result: ended(one.id, state, { reason, attempts: reason.length }) })),
    )
  await Promise.all([close(stores[0], 'delivered', 'first'), close(stores[1], 'failed', 'second one')])
  const rows = await db('push_logs').whereIn(
    'id',
    pushes.map(({ id }) => id),
  )
  expect(rows).toHaveLength(200)
  for (const { state, reason, attempts } of rows) {
    expect([state, reason, attempts]).toEqual(
      state === 'delivered' ? ['delivered', 'first', 5] : ['failed', 'second one', 10],
    )
  }
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

const attempt = (number: number, change: Partial<PushAttempt> = {}): PushAttempt => ({
  number,
  environment: 'production',
  sentAt: 1_700_000_000_200 + number,
  answeredAt: 1_700_000_000_300 + number,
  outcome: 'retry',
  class: 'transient',
  status: 503,
  reason: 'ServiceUnavailable',
  ...change,
})

test('tries that were not accepted are kept with the push, in their order, each once', async () => {
  const store = createPushLogStore(db)
  const log = createPushLog(store, fail)
  const [one, other] = [push(), push({ acceptedAt: Date.now() })]
  const lost = attempt(2, { outcome: 'unknown', class: 'unknown', reason: 'no_answer' })
  delete lost.status
  const elsewhere = attempt(1, {
    environment: 'sandbox',
    sentAt: 1_700_000_000_250,
    reason: 'BadDeviceToken',
  })
  for (const tried of [lost, attempt(1), elsewhere, attempt(1)]) log.tried(one, tried)
  log.tried(other, attempt(1))
  expect(log.pending()).toBe(5)
  await log.drain(5_000)
  expect(log.pending()).toBe(0)
  expect(await store.attemptsOf(one)).toEqual([attempt(1), lost, elsewhere])
  expect(await store.attemptsOf(other)).toEqual([attempt(1)])
  expect(await store.attemptsOf(push())).toEqual([])
})

/** A store that is away until it is told otherwise. */
function shakyStore() {
  const store = createPushLogStore(db)
  const state = { isAway: true }
  const reached = async () => {
    if (state.isAway) throw new Error('away')
  }
  const shaky: PushLogStore = {
    ...store,
    close: (all) => reached().then(() => store.close(all)),
    addAttempts: (all) => reached().then(() => store.addAttempts(all)),
  }
  return { shaky, state }
}

test('with the database away ends and tries of pushes are kept and written when it is back', async () => {
  const { shaky, state } = shakyStore()
  const errors: Error[] = []
  const log = createPushLog(shaky, (error) => errors.push(error))
  const one = push()
  log.tried(one, attempt(1))
  const closed = log.closed(one, ended(one.id, 'delivered'))
  await until(() => errors.length > 1, { description: 'the first tries have failed' })
  expect(log.pending()).toBe(2)
  state.isAway = false
  await closed
  await until(() => log.pending() === 0, { description: 'the try is written' })
  expect((await rowOf(one.id)).state).toBe('delivered')
  expect(await shaky.attemptsOf(one)).toEqual([attempt(1)])
})

test('with the database away for long, memory is bounded and what is lost is said, once for each row', async () => {
  const never = () => new Promise<never>(() => undefined)
  const errors: Error[] = []
  const log = createPushLog({ ...createPushLogStore(db), close: never, addAttempts: never }, (error) =>
    errors.push(error),
  )
  const one = push()
  for (let i = 0; i < MAX_KEPT / 2; i += 1) {
    void log.closed(one, ended('x', 'delivered')).catch(fail)
    log.tried(one, attempt(1))
  }
  expect(log.pending()).toBe(MAX_KEPT)
  await expect(log.closed(one, ended(one.id, 'delivered'))).rejects.toThrow(
    `push log is ${MAX_KEPT} rows behind; the end of push ${one.id} is not recorded`,
  )
  log.tried(one, attempt(1))
  log.tried(one, attempt(2))
  await until(() => errors.length > 0, { description: 'the loss is told' })
  const lost = `push log is ${MAX_KEPT} rows behind; a try of push ${one.id} is not recorded`
  expect(errors.map(({ message }) => message)).toEqual([lost, lost])
})

test('a row that the database refuses is told, and keeps no other row out', async () => {
  const errors: Error[] = []
  const store = createPushLogStore(db)
  const log = createPushLog(store, (error) => errors.push(error))
  const good = Array.from({ length: 20 }, () => push())
  const bad = push()
  const closed = [...good, bad].map((one) =>
    log.closed(one, ended(one.id, 'delivered', one === bad ? { providerStatus: 100_000 } : {})),
  )
  log.tried(bad, attempt(1, { status: 100_000 }))
  log.tried(bad, attempt(2))
  const outcomes = await Promise.allSettled(closed)
  expect(outcomes.map(({ status }) => status)).toEqual([...good.map(() => 'fulfilled'), 'rejected'])
  await until(() => log.pending() === 0, { description: 'the tries are written or told' })
  expect(await store.attemptsOf(bad)).toEqual([attempt(2)])
  expect(errors).toHaveLength(1)
  expect((await rowOf(good[0]?.id ?? '')).state).toBe('delivered')
})

test('texts that PostgreSQL cannot hold are written as far as it can', async () => {
  const store = createPushLogStore(db)
  const odd = 'a\0b\ud800c'
  const one = push({ extension: odd, content: { callId: odd, callUuid: newId(), callerId: '' } })
  await store.open([one])
  await store.close([
    { push: one, result: ended(one.id, 'rejected', { reason: odd, detail: odd, providerId: odd }) },
  ])
  await store.addAttempts([{ push: one, attempt: attempt(1, { reason: odd }) }])
  const readable = 'a\ufffdb\ufffdc'
  expect(await store.find(tenantId, one.id)).toMatchObject({
    extension: readable,
    callId: readable,
    reason: readable,
    detail: readable,
    providerId: readable,
  })
  expect(await store.attemptsOf(one)).toMatchObject([{ reason: readable }])
})

test('what nobody closed is closed with the known outcome, or as failed with a reason', async () => {
  const store = createPushLogStore(db)
  const [known, lost, alive] = [push({ expiresAt: 1_000 }), push({ expiresAt: 1_000 }), push()]
  await store.open([known, lost, alive])
  const stale = await store.stale(2_000, 100)
  expect(stale.sort()).toEqual([known.id, lost.id].sort())
  expect(await store.closeStale(stale, [ended(known.id, 'delivered')], 3_000)).toBe(2)
  expect(await store.closeStale(stale, [ended(known.id, 'failed')], 3_000)).toBe(0)
  expect((await rowOf(known.id)).state).toBe('delivered')
  expect(await rowOf(lost.id)).toMatchObject({
    state: 'failed',
    reason: 'no_outcome',
    closed_at: new Date(3_000),
  })
  expect((await rowOf(alive.id)).state).toBe('queued')
  expect(await store.stale(2_000, 100)).toEqual([])
})

test('what the messages lane still owes is not stale, however late it is', async () => {
  const store = createPushLogStore(db)
  const one = push({ expiresAt: 1_000 })
  await store.open([one])
  await db('pending_pushes').insert({
    id: one.id,
    accepted_at: new Date(one.acceptedAt),
    expires_at: new Date(one.expiresAt),
    provider: one.provider,
    sealed: '',
    next_check_at: new Date(),
  })
  expect(await store.stale(2_000, 100)).toEqual([])
  await db('pending_pushes').where({ id: one.id }).delete()
  expect(await store.stale(2_000, 100)).toEqual([one.id])
  await store.closeStale([one.id], [], 3_000)
})

const fail = (error: Error) => {
  throw error
}
