import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { until } from '../support/conditions.ts'
import { query } from '../support/databases.ts'
import { BACKENDS } from '../support/gateway.ts'
import { openSignals } from '../support/stores.ts'

const fresh = () => randomBytes(8).toString('hex')

describe.each(BACKENDS)('signals on %s', (backend) => {
  let signals: Awaited<ReturnType<typeof openSignals>>
  beforeAll(async () => {
    signals = await openSignals(backend)
  })
  afterAll(async () => {
    expect(signals.errors).toEqual([])
    await signals[Symbol.asyncDispose]()
  })

  test('keep a value for other processes, in the order of the keys', async () => {
    const { one, two } = signals
    const [a, b] = [fresh(), fresh()]
    await one.put({ key: a, value: 'A', ttlMs: 10_000 })
    expect(await two.get([b, a, b])).toEqual([undefined, 'A', undefined])
    await two.put({ key: a, value: 'A2', ttlMs: 10_000 })
    expect(await one.get([a])).toEqual(['A2'])
    expect(await one.get([])).toEqual([])
  })

  test('forget a value when its time is over', async () => {
    const { one, two } = signals
    const key = fresh()
    await one.put({ key, value: 'short', ttlMs: 30 })
    await until(async () => (await two.get([key]))[0] === undefined, { description: 'the value is gone' })
    expect(await two.claim(key, 'mine', 10_000)).toBeUndefined()
  })

  test('carry any text', async () => {
    const { one, two } = signals
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        // PostgreSQL holds no NUL in a text; none of our values has one, because they are JSON.
        const key = fresh()
        const value = JSON.stringify(text)
        await one.put({ key, value, ttlMs: 10_000 })
        expect(await two.get([key])).toEqual([value])
      }),
      { numRuns: 50 },
    )
  })

  test('keep the first of many values put at the same time, and tell of no other', async () => {
    const { one, two } = signals
    const [key, channel] = [fresh(), fresh()]
    const heard: (string | undefined)[] = []
    const subscription = two.subscribe(channel, (_key, value) => heard.push(value))
    await subscription.ready
    const puts = Array.from({ length: 40 }, (_, i) =>
      (i % 2 ? one : two).putFirst({ key, value: `value-${i}`, ttlMs: 10_000, channel }),
    )
    const results = await Promise.all(puts)
    expect(results.filter(Boolean)).toHaveLength(1)
    const winner = `value-${results.indexOf(true)}`
    expect(await one.get([key])).toEqual([winner])
    // What comes last on the channel comes after everything that was told before.
    await one.put({ key: fresh(), value: 'last', ttlMs: 10_000, channel })
    await until(() => heard.at(-1) === 'last', { description: 'the last message is heard' })
    expect(heard).toEqual([winner, 'last'])
    subscription.close()
  })

  test('take a first value again when the earlier one has expired', async () => {
    const { one } = signals
    const key = fresh()
    expect(await one.putFirst({ key, value: 'short', ttlMs: 30 })).toBe(true)
    await until(() => one.putFirst({ key, value: 'next', ttlMs: 10_000 }), { description: 'the key is free' })
    expect(await one.get([key])).toEqual(['next'])
  })

  test('give a key to one of many who claim it at the same time, and tell the others who has it', async () => {
    const { one, two } = signals
    for (let round = 0; round < 10; round += 1) {
      const key = fresh()
      const claims = Array.from({ length: 40 }, (_, i) =>
        (i % 2 ? one : two).claim(key, `claim-${i}`, 10_000),
      )
      const results = await Promise.all(claims)
      const winner = results.indexOf(undefined)
      expect(results.filter((result) => result === undefined)).toHaveLength(1)
      expect(new Set(results.filter((_, i) => i !== winner))).toEqual(new Set([`claim-${winner}`]))
    }
  })

  test('tell a channel, with the value already stored', async () => {
    const { one, two } = signals
    const [channel, key] = [fresh(), fresh()]
    const heard: [string, string | undefined, Promise<(string | undefined)[]>][] = []
    const subscription = two.subscribe(channel, (k, value) => heard.push([k, value, two.get([k])]))
    await subscription.ready
    await one.put({ key, value: '{"a":"line\\nbreak"}', ttlMs: 10_000, channel })
    await until(() => heard.length > 0, { description: 'the message arrives' })
    expect(heard[0]?.slice(0, 2)).toEqual([key, '{"a":"line\\nbreak"}'])
    expect(await heard[0]?.[2]).toEqual(['{"a":"line\\nbreak"}'])
    subscription.close()
  })

  test('tell every listener of a channel, none of another, and none that has stopped', async () => {
    const { one, two } = signals
    const channel = fresh()
    const heard: string[] = []
    const listen = (name: string, where: string) =>
      two.subscribe(where, (key) => heard.push(`${name} ${key}`))
    const [first, second, other] = [
      listen('first', channel),
      listen('second', channel),
      listen('other', fresh()),
    ]
    await Promise.all([first.ready, second.ready, other.ready])
    await one.put({ key: 'k1', value: 'v', ttlMs: 1_000, channel })
    await until(() => heard.length === 2, { description: 'both have heard it' })
    first.close()
    await one.put({ key: 'k2', value: 'v', ttlMs: 1_000, channel })
    await until(() => heard.length === 3, { description: 'the second has heard it' })
    expect(heard.sort()).toEqual(['first k1', 'second k1', 'second k2'])
    second.close()
    other.close()
    // A channel that was left can be joined again.
    const again = listen('again', channel)
    await again.ready
    await one.put({ key: 'k3', value: 'v', ttlMs: 1_000, channel })
    await until(() => heard.includes('again k3'), { description: 'the new listener has heard it' })
    again.close()
  })

  test('a value too large for a message arrives by its key', async () => {
    const { one, two } = signals
    const [channel, key] = [fresh(), fresh()]
    const large = 'x'.repeat(100_000)
    const heard: (string | undefined)[] = []
    const subscription = two.subscribe(channel, (_key, value) => heard.push(value))
    await subscription.ready
    await one.put({ key, value: large, ttlMs: 10_000, channel })
    await until(() => heard.length > 0, { description: 'the message arrives' })
    expect([large, undefined]).toContain(heard[0])
    expect(await two.get([key])).toEqual([large])
    subscription.close()
  })

  test('carry a thousand at once', async () => {
    const { one, two } = signals
    const channel = fresh()
    const heard = new Set<string>()
    const subscription = two.subscribe(channel, (key) => heard.add(key))
    await subscription.ready
    const keys = Array.from({ length: 1_000 }, (_, i) => `${channel}-${i}`)
    await Promise.all(keys.map((key) => one.put({ key, value: key, ttlMs: 10_000, channel })))
    await until(() => heard.size === keys.length, { description: 'all have arrived' })
    expect(await two.get(keys)).toEqual(keys)
    subscription.close()
  })
})

test('on PostgreSQL the listening connection comes back when it is cut', async () => {
  await using signals = await openSignals('postgres')
  const { one, two, database } = signals
  const heard: string[] = []
  const subscription = two.subscribe('channel', (key) => heard.push(key))
  await subscription.ready
  await query(
    database.url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE 'LISTEN%'`,
  )
  await until(
    async () => {
      await one.put({ key: 'after', value: 'v', ttlMs: 1_000, channel: 'channel' })
      return heard.includes('after')
    },
    { description: 'messages arrive again' },
  )
  expect(signals.errors.length).toBeGreaterThan(0)
  subscription.close()
})

test('on PostgreSQL a sweep removes what has expired', async () => {
  await using signals = await openSignals('postgres')
  await signals.one.put({ key: 'old', value: 'v', ttlMs: 1 })
  await signals.one.put({ key: 'new', value: 'v', ttlMs: 60_000 })
  await until(async () => (await signals.one.get(['old']))[0] === undefined, {
    description: 'it has expired',
  })
  await signals.one.sweep()
  expect(await query(signals.database.url, 'SELECT key FROM signals')).toEqual([{ key: 'new' }])
})
