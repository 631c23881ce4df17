import fc from 'fast-check'
import { SECOND } from '../../src/lib/units.ts'
import { createAllowances, type Terms } from '../../src/limits/allowance.ts'
import { memoryCounters } from '../support/counters.ts'

const WINDOW = { windowSeconds: 10 }

function nodesOver(count: number) {
  const memory = memoryCounters()
  const nodes = Array.from({ length: count }, () => createAllowances(memory))
  const ask = async (node: number, many: number, terms: Terms, key = 'key') =>
    (await nodes[node]?.ask(key, many, terms))?.granted ?? 0
  return { ...memory, nodes, ask }
}

type Step = { node: number; counts: number[] } | { passMs: number }
const steps = (nodes: number, most: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          node: fc.nat(nodes - 1),
          counts: fc.array(fc.integer({ min: 1, max: most }), { minLength: 1, maxLength: 8 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 12 * SECOND }) }) },
    ),
    { maxLength: 30 },
  )

describe('an allowance', () => {
  test('with a limit below 100 grants exactly what a simple counter would, on any number of nodes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 99 }), steps(3, 40), async (limit, plan) => {
        const { ask, clock } = nodesOver(3)
        let used = 0
        let endsAt = 0
        for (const step of plan) {
          if ('passMs' in step) {
            clock.at += step.passMs
            continue
          }
          if (clock.at >= endsAt) {
            used = 0
            endsAt = clock.at + WINDOW.windowSeconds * SECOND
          }
          const granted = await Promise.all(
            step.counts.map((count) => ask(step.node, count, { ...WINDOW, limit })),
          )
          const expected = step.counts.map((count) => {
            const left = Math.max(0, Math.min(count, limit - used))
            used += left
            return left
          })
          expect(granted).toEqual(expected)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('of any size is exact on one node, also for what is let go at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 100, max: 3_000 }), steps(1, 500), async (limit, plan) => {
        const { ask, clock } = nodesOver(1)
        let used = 0
        let endsAt = 0
        for (const step of plan) {
          if ('passMs' in step) {
            clock.at += step.passMs
            continue
          }
          if (clock.at >= endsAt) {
            used = 0
            endsAt = clock.at + WINDOW.windowSeconds * SECOND
          }
          for (const count of step.counts) {
            const granted = await ask(0, count, { ...WINDOW, limit })
            expect(granted).toBe(Math.max(0, Math.min(count, limit - used)))
            used += granted
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  test('is passed by at most a quarter for each further node, and never short', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 100, max: 2_000 }),
        fc.array(fc.record({ node: fc.nat(2), count: fc.integer({ min: 1, max: 60 }) }), { maxLength: 150 }),
        async (limit, plan) => {
          const { ask } = nodesOver(3)
          let used = 0
          for (const { node, count } of plan) {
            const granted = await ask(node, count, { ...WINDOW, limit })
            if (granted < count) expect(used + count).toBeGreaterThan(limit)
            used += granted
          }
          expect(used).toBeLessThanOrEqual(limit * 1.5)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('asks the store for few of many', async () => {
    const { ask, store } = nodesOver(1)
    const terms = { ...WINDOW, limit: 100_000 }
    await ask(0, 1, terms)
    for (let i = 0; i < 10_000; i += 1) await ask(0, 1, terms)
    expect(store.asked).toBeLessThan(100)
  })

  test('that is used up is refused without asking the store', async () => {
    const { ask, store, clock } = nodesOver(1)
    const terms = { ...WINDOW, limit: 5 }
    expect(await ask(0, 8, terms)).toBe(5)
    const { asked } = store
    for (let i = 0; i < 100; i += 1) expect(await ask(0, 1, terms)).toBe(0)
    expect(store.asked).toBe(asked)
    clock.at += WINDOW.windowSeconds * SECOND
    expect(await ask(0, 1, terms)).toBe(1)
  })

  test('grows at once when its licence does', async () => {
    const { ask } = nodesOver(1)
    expect(await ask(0, 60, { ...WINDOW, limit: 50 })).toBe(50)
    expect(await ask(0, 20, { ...WINDOW, limit: 90 })).toBe(20)
  })

  test('of a cold key costs no question up to a quarter, and is exact beyond it', async () => {
    const { ask, store } = nodesOver(1)
    const terms: Terms = { windowSeconds: 60, limit: 30, isMostlyCold: true }
    for (let i = 0; i < 7; i += 1) expect(await ask(0, 1, terms)).toBe(1)
    expect(store.asked).toBe(0)
    const more = await Promise.all(Array.from({ length: 50 }, () => ask(0, 1, terms)))
    expect(more.filter((granted) => granted === 1)).toHaveLength(30 - 7)
  })

  test('takes back what was not used', async () => {
    const { ask, nodes } = nodesOver(2)
    const terms = { ...WINDOW, limit: 10 }
    expect(await ask(0, 10, terms)).toBe(10)
    nodes[0]?.giveBack('key', 2)
    expect(await ask(0, 5, terms)).toBe(2)
    expect(await ask(1, 5, terms)).toBe(0)
  })

  test('that is forgotten begins again', async () => {
    const { ask, nodes } = nodesOver(1)
    const terms = { ...WINDOW, limit: 3 }
    expect(await ask(0, 5, terms)).toBe(3)
    await nodes[0]?.forget('key')
    expect(await ask(0, 5, terms)).toBe(3)
  })
})

describe('with the store', () => {
  test.each(['isBroken', 'isAway'] as const)(
    '%s: each node grants up to the limit by itself',
    async (how) => {
      const { ask, store, clock } = nodesOver(2)
      const terms = { ...WINDOW, limit: 20 }
      store[how] = true
      expect(await ask(0, 15, terms)).toBe(15)
      expect(await ask(0, 15, terms)).toBe(5)
      expect(await ask(1, 15, terms)).toBe(15)
      clock.at += WINDOW.windowSeconds * SECOND
      expect(await ask(0, 15, terms)).toBe(15)
    },
  )

  test('away: what was used up before stays used up', async () => {
    const { ask, store } = nodesOver(1)
    const terms = { ...WINDOW, limit: 20 }
    expect(await ask(0, 15, terms)).toBe(15)
    store.isAway = true
    expect(await ask(0, 15, terms)).toBe(5)
  })

  test('failing now and then: one node grants exactly its limit all the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.array(
          fc.record({
            count: fc.integer({ min: 1, max: 40 }),
            how: fc.constantFrom('', 'isBroken', 'isAway'),
          }),
          { maxLength: 60 },
        ),
        async (limit, plan) => {
          const { ask, store } = nodesOver(1)
          let used = 0
          for (const { count, how } of plan) {
            Object.assign(store, { isBroken: how === 'isBroken', isAway: how === 'isAway' })
            const granted = await ask(0, count, { ...WINDOW, limit })
            expect(granted).toBe(Math.min(count, limit - used))
            used += granted
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('back: what was granted meanwhile is counted', async () => {
    const { ask, store } = nodesOver(2)
    const terms = { ...WINDOW, limit: 20 }
    store.isAway = true
    expect(await ask(0, 15, terms)).toBe(15)
    store.isAway = false
    expect(await ask(0, 1, terms)).toBe(1)
    expect(await ask(1, 20, terms)).toBe(4)
  })
})

test('look tells what all nodes have used, and uses nothing', async () => {
  const { ask, nodes, store } = nodesOver(2)
  const terms = { ...WINDOW, limit: 20 }
  await ask(0, 7, terms)
  expect(await nodes[1]?.look('key', terms)).toMatchObject({ used: 7, limit: 20 })
  expect(await ask(1, 20, terms)).toBe(13)
  store.isBroken = true
  expect(await nodes[1]?.look('key', terms)).toMatchObject({ used: 20 })
})
