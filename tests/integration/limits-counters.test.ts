import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/lib/clock.ts'
import { MINUTE, SECOND } from '../../src/lib/units.ts'
import { createAddressGuard } from '../../src/limits/address-guard.ts'
import { createAllowances } from '../../src/limits/allowance.ts'
import { until } from '../support/conditions.ts'
import { openCounters } from '../support/counters.ts'
import { query } from '../support/databases.ts'
import { BACKENDS } from '../support/gateway.ts'

const fresh = () => randomBytes(8).toString('hex')

describe.each(BACKENDS)('counters on %s', (backend) => {
  let open: Awaited<ReturnType<typeof openCounters>>
  beforeAll(async () => {
    open = await openCounters(backend, 2)
  })
  afterAll(async () => {
    expect(open.errors).toEqual([])
    await open[Symbol.asyncDispose]()
  })
  const pair = () => {
    const [one, two] = open.counters
    if (!one || !two) throw new Error('two were opened')
    return { one, two }
  }

  test('count together, and tell when the window ends', async () => {
    const { one, two } = pair()
    const key = fresh()
    expect(await one.read(key)).toBeUndefined()
    const first = await one.add(key, 3, 60)
    expect(first.total).toBe(3)
    expect(first.msLeft).toBeGreaterThan(30 * SECOND)
    expect(first.msLeft).toBeLessThanOrEqual(MINUTE)
    // The window is the first one's, whatever a later one says.
    const second = await two.add(key, 4, 900)
    expect(second.total).toBe(7)
    expect(second.msLeft).toBeLessThanOrEqual(MINUTE)
    expect(await one.read(key)).toMatchObject({ total: 7 })
    expect((await two.add(key, -2, 60)).total).toBe(5)
    expect((await one.add(key, 0, 60)).total).toBe(5)
    await two.forget(key)
    expect(await one.read(key)).toBeUndefined()
    expect((await one.add(key, 1, 60)).total).toBe(1)
  })

  test('begin again after their window', async () => {
    const { one, two } = pair()
    const key = fresh()
    await one.add(key, 5, 1)
    await until(async () => (await two.read(key)) === undefined, { description: 'the window is over' })
    expect((await two.add(key, 1, 60)).total).toBe(1)
  })

  test('lose nothing at the same time', async () => {
    const { one, two } = pair()
    const key = fresh()
    const totals = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => (await (i % 2 ? one : two).add(key, 1, 60)).total),
    )
    expect(totals.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
  })

  test.each([1, 37, 50, 99, 150])(
    '200 askers at two nodes for a limit of %i get exactly that',
    async (limit) => {
      const { one, two } = pair()
      const nodes = [one, two].map((counters) => createAllowances({ counters, clock: systemClock }))
      const key = fresh()
      const grants = await Promise.all(
        Array.from({ length: 200 }, (_, i) => nodes[i % 2]?.ask(key, 1, { limit, windowSeconds: 60 })),
      )
      expect(grants.reduce((sum, grant) => sum + (grant?.granted ?? 0), 0)).toBe(limit)
      const late = await Promise.all(nodes.map((node) => node.ask(key, 1, { limit, windowSeconds: 60 })))
      expect(late.map(({ granted }) => granted)).toEqual([0, 0])
    },
  )

  test('large askers get what is left, one after the other', async () => {
    const { one, two } = pair()
    const nodes = [one, two].map((counters) => createAllowances({ counters, clock: systemClock }))
    const key = fresh()
    const grants = await Promise.all(
      Array.from({ length: 20 }, (_, i) => nodes[i % 2]?.ask(key, 70, { limit: 1_000, windowSeconds: 60 })),
    )
    expect(grants.reduce((sum, grant) => sum + (grant?.granted ?? 0), 0)).toBe(1_000)
  })

  test('an address that tries keys at two nodes is blocked once, at both', async () => {
    const { one, two } = pair()
    const blocks: number[] = []
    const events = { addressBlocked: (_network: string, seconds: number) => void blocks.push(seconds) }
    const nodes = [one, two].map((counters) =>
      createAddressGuard({ counters, clock: systemClock, events, isOn: true }),
    )
    const address = `2001:db8:${randomBytes(2).toString('hex')}::1`
    await Promise.all(Array.from({ length: 130 }, (_, i) => nodes[i % 2]?.failed(address)))
    expect(blocks).toEqual([30])
    for (const node of nodes) await expect(node.check(address)).rejects.toMatchObject({ status: 429 })
  })
})

test('what has expired is swept out of the table, and nothing else', async () => {
  await using open = await openCounters('postgres', 1)
  const [counters] = open.counters
  await counters?.add('short', 1, 1)
  await counters?.add('long', 1, 600)
  await until(async () => (await counters?.read('short')) === undefined, { description: 'it has expired' })
  await counters?.sweep()
  expect(await query(open.databaseUrl, 'SELECT key FROM rate_limits')).toEqual([{ key: 'long' }])
})
