import fc from 'fast-check'
import type { Knex } from 'knex'
import { createChatUserStore } from '../../src/chat/chat-user-store.ts'
import { createUserEventStore, type Recipient } from '../../src/chat/user-event-store.ts'
import { openDatabase } from '../../src/db/database.ts'
import { createExtensionStore } from '../../src/devices/extension-store.ts'
import { newId } from '../../src/lib/ids.ts'
import { cloneDatabase } from '../support/databases.ts'

/** What one transaction does, and how it ends. */
interface Writer {
  users: number[]
  ends: 'commit' | 'rollback'
}
/** The next step of a writer, or a reader who looks. */
type Step = { writer: number } | { reader: number }

const WRITERS = 6
const USERS = 3
const writers = fc.array(
  fc.record({
    users: fc.array(fc.nat({ max: USERS - 1 }), { minLength: 1, maxLength: 4 }),
    ends: fc.constantFrom<Writer['ends']>('commit', 'commit', 'commit', 'rollback'),
  }),
  { minLength: 2, maxLength: WRITERS },
)
const steps = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ writer: fc.nat({ max: WRITERS - 1 }) }) },
    { weight: 1, arbitrary: fc.record({ reader: fc.nat({ max: USERS - 1 }) }) },
  ),
  { maxLength: 40 },
)

async function openWorld(poolSize: number) {
  const opened = new AsyncDisposableStack()
  const database = opened.use(await cloneDatabase())
  const db = opened.adopt(openDatabase(database.url, { poolSize }), (open) => open.destroy())
  const tenantId = newId()
  await db('tenants').insert({ id: tenantId, name: 'test' })
  const extensions = createExtensionStore(db)
  const people = async () => {
    const made = await Promise.all(
      Array.from({ length: USERS }, () => extensions.put(tenantId, newId(), { name: '' })),
    )
    const ids = made.map(({ id }) => id)
    await createChatUserStore(db).ensure(tenantId, ids)
    return ids
  }
  return { db, people, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

const flush = () => new Promise((resolve) => setImmediate(resolve))

/** A transaction whose steps are taken one by one, whenever the schedule says so; it may have to wait for the locks of others. */
function startWriter(db: Knex, ids: readonly number[], { users, ends }: Writer, conversationId: string) {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let passed = 0
  const appended: Recipient[] = []
  class Undone extends Error {}
  const done = db
    .transaction(async (trx) => {
      await gates[0]?.promise
      const to = users.map((user) => ids[user] ?? 0)
      const [told] = await createUserEventStore(trx).append(
        [{ to, type: 'conversation.updated', conversationId }],
        new Date(),
      )
      appended.push(...(told?.recipients ?? []))
      await gates[1]?.promise
      if (ends === 'rollback') throw new Undone()
    })
    .then(
      () => appended,
      (error: unknown) => {
        if (error instanceof Undone) return []
        throw error
      },
    )
  return {
    done,
    step: () => {
      gates[passed]?.resolve()
      passed += 1
    },
  }
}

/** Asks for what is new as an app does, and remembers all of it. */
function createReader(db: Knex, extensionId: number) {
  const seen: number[] = []
  return {
    extensionId,
    seen,
    async look(): Promise<void> {
      const since = seen.at(-1) ?? 0
      const [page] = await createUserEventStore(db).read([{ extensionId, since, limit: 100 }])
      seen.push(...(page?.events ?? []).map(({ seq }) => seq))
    },
  }
}

test('whoever goes on from the last number he has seen misses nothing, however transactions overlap', async () => {
  await using world = await openWorld(WRITERS + 2)
  await fc.assert(
    fc.asyncProperty(writers, steps, async (scripts: Writer[], schedule: Step[]) => {
      const ids = await world.people()
      const conversationId = newId()
      const running = scripts.map((script) => startWriter(world.db, ids, script, conversationId))
      const readers = ids.map((id) => createReader(world.db, id))
      for (const step of schedule) {
        if ('writer' in step) running[step.writer]?.step()
        else await readers[step.reader]?.look()
        await flush()
      }
      for (const writer of running) {
        writer.step()
        writer.step()
      }
      const written = (await Promise.all(running.map(({ done }) => done))).flat()
      for (const { look, seen, extensionId } of readers) {
        await look()
        const own = written
          .filter((event) => event.extensionId === extensionId)
          .map(({ eventSeq }) => eventSeq)
        expect(seen).toEqual(own.sort((a, b) => a - b))
        // What was undone has left no hole either.
        expect(seen).toEqual(seen.map((_, index) => index + 1))
      }
    }),
    { numRuns: 150, endOnFailure: true },
  )
})

test('what is forgotten leaves a floor, and everything above it', async () => {
  await using world = await openWorld(4)
  const [first = 0] = await world.people()
  const events = createUserEventStore(world.db)
  const append = (at: Date) =>
    world.db.transaction((trx) =>
      createUserEventStore(trx).append(
        [{ to: [first], type: 'conversation.updated', conversationId: newId() }],
        at,
      ),
    )
  const old = new Date(Date.now() - 40 * 86_400_000)
  for (const at of [old, old, new Date()]) await append(at)
  const monthAgo = new Date(Date.now() - 30 * 86_400_000)
  expect([await events.prune(monthAgo, 1), await events.prune(monthAgo, 100)]).toEqual([1, 1])
  expect(await events.prune(monthAgo, 100)).toBe(0)
  const [page] = await events.read([{ extensionId: first, since: 0, limit: 10 }])
  expect([page?.floor, page?.newest, page?.events.map(({ seq }) => seq)]).toEqual([2, 3, [3]])
  expect(await events.seqBefore(first, monthAgo)).toBe(2)
  expect(await events.seqBefore(first, new Date(Date.now() + 1_000))).toBe(3)
})
