import fc from 'fast-check'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { DAY, HOUR } from '../../src/lib/units.ts'
import type { ClosedState, PushOf } from '../../src/push/push.ts'
import { stretchesBack } from '../../src/push/push-log-days.ts'
import { createPushLogStore } from '../../src/push/push-log-store.ts'
import type { PushRecord } from '../../src/push/push-record.ts'
import { createPushSearchStore, type PushFilter } from '../../src/push/push-search-store.ts'
import { cloneDatabase, type TestDatabase } from '../support/databases.ts'
import { callPush, endOf } from '../support/logged-pushes.ts'

let database: TestDatabase
let db: Knex
beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url)
})
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

const NOW = Date.now()
/** Few of each, so that filters meet and combine. */
const uuid = (n: number) => `00000000-0000-8000-8000-00000000000${n}`
const TENANTS = [uuid(1), uuid(2)] as const
/** The first tenant has two. */
const LICENSES = [
  { id: uuid(3), tenantId: TENANTS[0] },
  { id: uuid(4), tenantId: TENANTS[0] },
  { id: uuid(5), tenantId: TENANTS[1] },
] as const
const TOKENS = ['ab'.repeat(32), 'cd'.repeat(32)] as const
const KINDS = ['call', 'cancel', 'badge'] as const
const STATES = ['queued', 'delivered', 'failed', 'token_dead'] as const
/** Today, days with and without a partition, several stretches back, tomorrow; and many in the same millisecond. */
const TIMES = [0, 1, HOUR, DAY, 39 * DAY, 40 * DAY, 41 * DAY, 79 * DAY, 300 * DAY, -DAY].map(
  (ago) => NOW - ago,
)

const row = fc.record({
  license: fc.option(fc.constantFrom(...LICENSES), { nil: undefined }),
  tenant: fc.constantFrom(...TENANTS),
  token: fc.constantFrom(...TOKENS),
  extension: fc.constantFrom('100', '101', undefined),
  callId: fc.constantFrom('a@b', 'b@b'),
  kind: fc.constantFrom(...KINDS),
  state: fc.constantFrom(...STATES),
  acceptedAt: fc.constantFrom(...TIMES),
})
const values = fc.record({
  tenantId: fc.constantFrom(...TENANTS),
  licenseId: fc.constantFrom(...LICENSES.map(({ id }) => id)),
  tokenHash: fc.constantFrom(...TOKENS),
  extension: fc.constantFrom('100', '101'),
  callId: fc.constantFrom('a@b', 'b@b'),
  kind: fc.constantFrom(...KINDS),
  state: fc.constantFrom(...STATES),
  from: fc.constantFrom(...TIMES),
  to: fc.constantFrom(...TIMES),
})
const FILTERS = [
  'tenantId',
  'licenseId',
  'tokenHash',
  'extension',
  'callId',
  'kind',
  'state',
  'from',
  'to',
] as const
const filter = fc
  .tuple(values, fc.subarray([...FILTERS], { maxLength: 3 }))
  .map(([all, some]): PushFilter => Object.fromEntries(some.map((name) => [name, all[name]])))

type Row = typeof row extends fc.Arbitrary<infer T> ? T : never

function toPush({ license, tenant, token, extension, callId, kind, acceptedAt }: Row) {
  const base = callPush({
    tenantId: license?.tenantId ?? tenant,
    ...(license && { licenseId: license.id }),
    ...(extension !== undefined && { extension }),
    tokenHash: token,
    acceptedAt,
    expiresAt: acceptedAt + 30_000,
    content: { callId, callUuid: uuid(9), callerId: '' },
  })
  if (kind === 'call') return base
  if (kind === 'cancel')
    return { ...base, kind, content: { ...base.content, cause: 'cancelled' } } as PushOf<'cancel'>
  return { ...base, kind, content: { badge: 1 } } as PushOf<'badge'>
}

async function givenRows(rows: readonly Row[]): Promise<void> {
  await db.raw('TRUNCATE push_logs, licenses, tenants CASCADE')
  await db('tenants').insert(TENANTS.map((id) => ({ id, name: id })))
  await db('licenses').insert(
    LICENSES.map(({ id, tenantId }) => ({ id, tenant_id: tenantId, tier: 'custom', max_extensions: 1 })),
  )
  const store = createPushLogStore(db)
  const pushes = rows.map((row) => ({ push: toPush(row), state: row.state }))
  await store.open(pushes.map(({ push }) => push))
  const closed = pushes.filter(({ state }) => state !== 'queued')
  await store.close(closed.map(({ push, state }) => ({ push, result: endOf(push.id, state as ClosedState) })))
}

const matches = (wanted: PushFilter) => (push: PushRecord) =>
  FILTERS.filter((name) => name !== 'from' && name !== 'to').every(
    (name) => wanted[name] === undefined || wanted[name] === push[name],
  ) &&
  (wanted.from === undefined || push.acceptedAt >= wanted.from) &&
  (wanted.to === undefined || push.acceptedAt < wanted.to)

const newestFirst = (a: PushRecord, b: PushRecord) => b.acceptedAt - a.acceptedAt || (a.id < b.id ? 1 : -1)

test('any search, page by page, gives every push that matches once, newest first', async () => {
  const rows = fc.array(row, { minLength: 1, maxLength: 40 })
  const searches = fc.array(fc.tuple(filter, fc.integer({ min: 1, max: 9 })), { minLength: 6, maxLength: 6 })
  // 30 days are one statement, 100 are three.
  const keptDays = fc.constantFrom(30, 100)
  let found = 0
  await fc.assert(
    fc.asyncProperty(rows, searches, keptDays, async (rows, searches, days) => {
      await givenRows(rows)
      const store = createPushSearchStore(db, days)
      const all = (await store.search({}, 100)).pushes
      expect(all).toHaveLength(rows.length)
      for (const [wanted, limit] of searches) {
        const seen: PushRecord[] = []
        let page = await store.search(wanted, limit)
        for (;;) {
          seen.push(...page.pushes)
          if (!page.next) break
          expect(page.pushes).toHaveLength(limit)
          page = await store.search(wanted, limit, page.next)
          expect(page.pushes).not.toEqual([])
        }
        expect(seen).toEqual(all.filter(matches(wanted)).sort(newestFirst))
        found += seen.length
      }
    }),
    { numRuns: 25 },
  )
  expect(found).toBeGreaterThan(100)
})

test('a push is found by its id, however old it is', async () => {
  const old: Row = {
    license: undefined,
    tenant: TENANTS[0],
    token: TOKENS[0],
    extension: undefined,
    callId: 'a@b',
    kind: 'call',
    state: 'failed',
    acceptedAt: NOW - 300 * DAY,
  }
  await givenRows([old, { ...old, acceptedAt: NOW }])
  const store = createPushSearchStore(db, 100)
  const { pushes } = await store.search({}, 2)
  for (const push of pushes) expect(await store.find(push.id)).toEqual(push)
  expect(await store.find(uuid(8))).toBeUndefined()
})

test('the stretches of a search leave out nothing, repeat nothing and lock some 40 days each', () => {
  const day = fc.integer({ min: -4_000, max: 100 }).map((days) => NOW + days * DAY)
  fc.assert(
    fc.property(
      fc.option(day, { nil: undefined }),
      fc.option(day, { nil: undefined }),
      fc.integer({ min: 1, max: 3_650 }),
      (from, to, keptDays) => {
        const within = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
        const stretches = [...stretchesBack(keptDays, within, NOW)]
        expect(stretches[0]?.to).toBe(to)
        expect(stretches.at(-1)?.from).toBe(from)
        for (const [i, stretch] of stretches.entries()) {
          if (i > 0) expect(stretch.to).toBe(stretches[i - 1]?.from)
          const first = Math.max(stretch.from ?? 0, NOW - keptDays * DAY)
          const last = Math.min(stretch.to ?? NOW, NOW)
          expect(last - first).toBeLessThanOrEqual(40 * DAY)
        }
      },
    ),
  )
})
