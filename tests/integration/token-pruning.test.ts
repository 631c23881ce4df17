import { hash } from 'node:crypto'
import { DAY } from '../../src/lib/units.ts'
import type { Push } from '../../src/push/push.ts'
import { KEEP_VERDICTS_MS, pruneTokens, STALE_AFTER_MS } from '../../workers/prune-tokens.ts'
import { apnsToken } from '../support/gateway.ts'
import { openTokenBooks, type TokenBooks, unregistered } from '../support/token-books.ts'

/** Phones that nobody has seen for long lose their tokens, and their owners are told. */
let books: TokenBooks
beforeEach(async () => {
  books = await openTokenBooks()
})
afterEach(() => books[Symbol.asyncDispose]())

const prune = () => pruneTokens(books).run({}, { number: 0, last: true, pauseMs: 0 }, 'prune-tokens')
const unseenFor = (push: Push, ms: number) =>
  books
    .db('devices')
    .where({ id: push.deviceId })
    .update({ last_seen_at: new Date(books.clock.now() - ms) })

test('a phone unseen for 270 days loses its tokens, one seen a moment later does not', async () => {
  const stale = await books.givenPhone({ extension: '100' })
  const seen = await books.givenPhone({ extension: '100' })
  await unseenFor(stale, STALE_AFTER_MS + 1)
  await unseenFor(seen, STALE_AFTER_MS)
  await prune()
  expect(await books.isLive(stale)).toBe(false)
  expect(await books.isLive(seen)).toBe(true)
  expect(await books.verdictsOn(stale)).toMatchObject([
    { state: 'dead', reason: 'stale', device_id: stale.deviceId, extension: '100', times: 1 },
  ])
  expect(books.announced).toMatchObject([
    {
      tenantId: books.tenantId,
      type: 'token.invalidated',
      data: {
        reason: 'stale',
        token_sha256: hash('sha256', stale.token),
        last_at: new Date(books.clock.now()).toISOString(),
      },
    },
  ])
  expect(await books.metrics.registry.metrics()).toContain('wakeline_tokens_pruned_total 1')
  // The next run has nothing to tell.
  await prune()
  expect(books.announced).toHaveLength(1)
  // The phone was in a drawer.
  await books.givenPhone({ extension: '100', token: stale.token })
  expect(await books.isLive(stale)).toBe(true)
  expect(await books.verdictsOn(stale)).toEqual([])
})

test('a phone whose owner cannot be told keeps its tokens until he can', async () => {
  const stale = await books.givenPhone({ extension: '100' })
  await unseenFor(stale, STALE_AFTER_MS + 1)
  books.owners.cannotBeTold = true
  await expect(prune()).rejects.toThrow('cannot be stored')
  expect([await books.isLive(stale), await books.verdictsOn(stale)]).toEqual([true, []])
  books.owners.cannotBeTold = false
  await prune()
  expect(await books.isLive(stale)).toBe(false)
  expect(books.announced).toMatchObject([{ type: 'token.invalidated' }])
})

test('all stale tokens go, however many there are', async () => {
  const tenant = books.tenantId
  const extension = await books.givenPhone()
  const { extension_id: extensionId } = await books
    .db('devices')
    .first('extension_id')
    .where({ id: extension.deviceId })
  await books.db.raw(
    `WITH d AS (
       INSERT INTO devices (id, tenant_id, extension_id, device_key, app_id, last_seen_at)
       SELECT gen_random_uuid(), ?, ?, 'many-' || n, 'default', ? FROM generate_series(1, 1200) AS n RETURNING id)
     INSERT INTO device_tokens (id, device_id, kind, environment, token_hash, token_sealed, registered_at)
     SELECT gen_random_uuid(), id, 'fcm', 'production', id::text, 'cannot be opened', now() FROM d`,
    [tenant, extensionId, new Date(books.clock.now() - STALE_AFTER_MS - 1)],
  )
  const readable = await books.givenPhone()
  await unseenFor(readable, STALE_AFTER_MS + DAY)
  await prune()
  expect(await books.db('device_tokens').whereNull('invalidated_at')).toHaveLength(1)
  // Those that cannot be opened cannot be named to anybody, and do not keep the others from being told.
  expect(books.announced).toHaveLength(1)
  expect(await books.metrics.registry.metrics()).toContain('wakeline_tokens_pruned_total 1201')
})

test('a phone that registers in this moment is left alone', async () => {
  const stale = await books.givenPhone()
  await unseenFor(stale, STALE_AFTER_MS + 1)
  await books.db.transaction(async (trx) => {
    await trx('devices').where({ id: stale.deviceId }).update({ last_seen_at: trx.fn.now() })
    await prune()
  })
  expect(await books.isLive(stale)).toBe(true)
  expect(books.announced).toEqual([])
})

test('verdicts are forgotten 90 days after they were repeated last', async () => {
  const [old, repeated] = [books.pushTo(apnsToken()), books.pushTo(apnsToken())]
  const accuse = (push: Push) => books.verdicts.accuse(push, unregistered(), books.clock.now())
  await accuse(old)
  await accuse(repeated)
  books.clock.advance(1)
  await accuse(repeated)
  books.clock.advance(KEEP_VERDICTS_MS)
  await prune()
  expect(await books.verdictsOn(old)).toEqual([])
  expect(await books.verdictsOn(repeated)).toHaveLength(1)
})
