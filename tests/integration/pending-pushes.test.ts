import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { newId } from '../../src/lib/ids.ts'
import { createIdempotencyKeyStore } from '../../src/push/idempotency-key-store.ts'
import { createPendingPushStore, type PendingPush } from '../../src/push/pending-push-store.ts'
import type { ClosedState, MessageLanePush } from '../../src/push/push.ts'
import type { PushResult } from '../../src/push/push-result.ts'
import { type cloneDatabase as Clone, cloneDatabase } from '../support/databases.ts'

let database: Awaited<ReturnType<typeof Clone>>
let db: Knex
beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url)
})
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

const message = (change: Partial<MessageLanePush> = {}): MessageLanePush =>
  ({
    id: newId(),
    tenantId: newId(),
    kind: 'message',
    provider: 'fcm',
    environment: 'production',
    appId: 'default',
    tokenKind: 'fcm',
    token: 'secret',
    tokenHash: randomBytes(32).toString('hex'),
    privacy: 'full',
    content: { messageId: 'm', text: 't' },
    acceptedAt: Date.now(),
    expiresAt: Date.now() + 60_000,
    ...change,
  }) as MessageLanePush
const ended = (push: MessageLanePush, state: ClosedState = 'delivered'): PushResult => ({
  id: push.id,
  state,
  attempts: 1,
  closedAt: Date.now(),
})
const store = () => createPendingPushStore(db)
const accept = (...pushes: MessageLanePush[]) =>
  store().accept(pushes.map((push) => ({ push, sealed: 'sealed' })))
const rowOf = (id: string) => db('push_logs').where({ id }).first()

test('a push is promised in one commit with its row, or not at all', async () => {
  const [good, broken] = [message(), message({ tenantId: 'no uuid' })]
  await expect(accept(good, broken)).rejects.toThrow()
  expect(await rowOf(good.id)).toBeUndefined()
  expect(await store().take([good.id])).toEqual([])
  await accept(good)
  expect(await rowOf(good.id)).toMatchObject({ state: 'queued', closed_at: null })
  expect(await store().take([good.id])).toMatchObject([
    { id: good.id, fence: 1, generation: 0, acceptedAt: good.acceptedAt },
  ])
})

test('an idempotency key is kept with the push; whoever comes second hears of the first', async () => {
  const push = message()
  const ask = (requestHash: string) => store().accept([{ push, sealed: 's', requestHash }])
  const answers = (await Promise.all(Array.from({ length: 20 }, () => ask('hash')))).flat()
  expect(answers.filter(({ is }) => is === 'new')).toHaveLength(1)
  expect(answers.filter(({ is }) => is === 'known')).toEqual(
    Array.from({ length: 19 }, () => ({ is: 'known', requestHash: 'hash' })),
  )
  expect(await ask('other')).toEqual([{ is: 'known', requestHash: 'hash' }])
  // Also when it has ended long ago.
  await store().take([push.id])
  await store().end([{ push, fence: 1, result: ended(push) }])
  expect(await ask('hash')).toEqual([{ is: 'known', requestHash: 'hash' }])
})

test('a key outlives its day while its push is owed, and may be used again afterwards', async () => {
  const push = message()
  const ask = (change: Partial<MessageLanePush> = {}) =>
    store().accept([{ push: { ...push, ...change } as MessageLanePush, sealed: 's', requestHash: 'hash' }])
  await ask()
  const keys = createIdempotencyKeyStore(db)
  await keys.deleteBefore(Date.now() + 60_000)
  expect(await ask({ acceptedAt: Date.now() + 1 })).toEqual([{ is: 'known', requestHash: 'hash' }])
  await store().take([push.id])
  await store().end([{ push, fence: 1, result: ended(push) }])
  await keys.deleteBefore(Date.now() + 60_000)
  expect(await ask({ acceptedAt: Date.now() + 2 })).toEqual([{ is: 'new' }])
})

test('only who took it up last may end it', async () => {
  const push = message()
  await accept(push)
  await store().take([push.id])
  const [second] = await store().take([push.id])
  expect(second?.fence).toBe(2)
  expect(await store().end([{ push, fence: 1, result: ended(push, 'failed') }])).toEqual([false])
  expect(await rowOf(push.id)).toMatchObject({ state: 'queued' })
  expect(await store().end([{ push, fence: 2, result: ended(push) }])).toEqual([true])
  expect(await rowOf(push.id)).toMatchObject({ state: 'delivered' })
  expect(await store().end([{ push, fence: 2, result: ended(push, 'failed') }])).toEqual([false])
  expect(await rowOf(push.id)).toMatchObject({ state: 'delivered' })
})

test('of two workers who end it in the same moment, the one who took it up last does', async () => {
  const push = message()
  await accept(push)
  await store().take([push.id])
  await store().take([push.id])
  const ends = await store().end([
    { push, fence: 1, result: ended(push, 'failed') },
    { push, fence: 2, result: ended(push) },
    { push, fence: 1, result: ended(push, 'rejected') },
  ])
  expect(ends).toEqual([false, true, false])
  expect(await rowOf(push.id)).toMatchObject({ state: 'delivered' })
})

test('a sweep gets what is due, each row once for a while, however many sweep', async () => {
  const pushes = Array.from({ length: 60 }, () => message())
  await accept(...pushes)
  const ids = new Set(pushes.map(({ id }) => id))
  const sweep = async () => (await store().due(25)).filter(({ id }) => ids.has(id))
  expect(await sweep()).toEqual([])
  await db('pending_pushes')
    .whereIn('id', [...ids])
    .update({ next_check_at: new Date(0) })
  const seen = (await Promise.all(Array.from({ length: 5 }, sweep))).flat()
  expect(seen).toHaveLength(60)
  expect(new Set(seen.map(({ id }) => id)).size).toBe(60)
  expect(await sweep()).toEqual([])
})

test('a job of the next generation is made once', async () => {
  const push = message()
  await accept(push)
  const renewed = await Promise.all(Array.from({ length: 10 }, () => store().renew(push.id, 0)))
  expect(renewed.filter(Boolean)).toHaveLength(1)
  expect(await store().take([push.id])).toMatchObject([{ generation: 1 }])
})

test('whatever workers, sweeps and crashes do to it, a push ends once and stays as it ended', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('take' as const), worker: fc.nat(3) }),
    fc.record({
      do: fc.constant('end' as const),
      worker: fc.nat(3),
      state: fc.constantFrom<ClosedState>('delivered', 'token_dead', 'rejected', 'expired', 'failed'),
    }),
    fc.record({ do: fc.constant('crash' as const), worker: fc.nat(3) }),
    fc.record({ do: fc.constant('sweep' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const push = message()
      await accept(push)
      const hands = new Map<number, PendingPush>()
      // The model: who holds it, and how it ended.
      let [holder, end]: [number | undefined, ClosedState | undefined] = [undefined, undefined]
      for (const one of steps) {
        if (one.do === 'take') {
          const [row] = await store().take([push.id])
          expect(row !== undefined).toBe(end === undefined)
          if (row) {
            hands.set(one.worker, row)
            holder = one.worker
          }
        } else if (one.do === 'end') {
          const fence = hands.get(one.worker)?.fence
          if (fence === undefined) continue
          const [isMine] = await store().end([{ push, fence, result: ended(push, one.state) }])
          const isAllowed = end === undefined && holder === one.worker
          expect(isMine).toBe(isAllowed)
          if (isAllowed) end = one.state
        } else if (one.do === 'crash') hands.delete(one.worker)
        else {
          await db('pending_pushes')
            .where({ id: push.id })
            .update({ next_check_at: new Date(0) })
          expect((await store().due(1_000)).some(({ id }) => id === push.id)).toBe(end === undefined)
        }
        expect((await rowOf(push.id)).state).toBe(end ?? 'queued')
      }
      await db('pending_pushes').where({ id: push.id }).del()
    }),
    { numRuns: 60 },
  )
}, 60_000)
