import { openRedis } from '../../src/queue/redis-connections.ts'
import { withLocalFallback } from '../../src/signals/local-fallback.ts'
import { createRedisSignals } from '../../src/signals/redis-signals.ts'
import { until } from '../support/conditions.ts'
import { startRedisServer } from '../support/redis-server.ts'

/** Two processes over one Redis of the test's own. */
async function openTwo() {
  const redis = await startRedisServer()
  const errors: Error[] = []
  const open = async () => {
    const connections = await openRedis(redis.url, () => undefined)
    const store = createRedisSignals(connections.producer, connections.subscriber, 't', () => undefined)
    return { signals: withLocalFallback(store, (error) => errors.push(error)), connections }
  }
  const [one, two] = [await open(), await open()]
  return {
    redis,
    errors,
    one: one.signals,
    two: two.signals,
    [Symbol.asyncDispose]: async () => {
      redis.thaw()
      one.connections.close()
      two.connections.close()
      await redis.kill()
    },
  }
}

const signal = (key: string, value = key) => ({ key, value, ttlMs: 60_000 })

test('with the store there, everything is shared and nothing is kept here', async () => {
  await using own = await openTwo()
  const heard: string[] = []
  const subscription = own.two.subscribe('news', (key) => heard.push(key))
  await subscription.ready
  await own.one.put({ ...signal('a'), channel: 'news' })
  expect(await own.one.putFirst({ ...signal('b'), channel: 'news' })).toBe(true)
  expect(await own.two.claim('b', 'mine', 1_000)).toBe('b')
  expect(await own.two.get(['a', 'b', 'c'])).toEqual(['a', 'b', undefined])
  await until(() => heard.length === 2, { description: 'both were heard' })
  expect(own.errors).toEqual([])
  subscription.close()
})

describe.each(['frozen', 'killed'])('with the store %s', (how) => {
  const hurt = (own: Awaited<ReturnType<typeof openTwo>>) =>
    how === 'frozen' ? Promise.resolve(own.redis.freeze()) : own.redis.kill()

  test('what is put or claimed here is known here, and whoever put it is told that others do not know it', async () => {
    await using own = await openTwo()
    const heard: string[] = []
    const subscription = own.one.subscribe('news', (key) => heard.push(key))
    await subscription.ready
    await hurt(own)
    await expect(own.one.put({ ...signal('a'), channel: 'news' })).rejects.toThrow()
    await expect(own.one.putFirst({ ...signal('b'), channel: 'news' })).rejects.toThrow()
    await expect(own.one.putFirst({ ...signal('b', 'late'), channel: 'news' })).rejects.toThrow()
    expect(heard).toEqual(['a', 'b'])
    expect(await own.one.get(['a', 'b', 'c'])).toEqual(['a', 'b', undefined])
    expect(await own.one.claim('d', 'first', 1_000)).toBeUndefined()
    expect(await own.one.claim('d', 'second', 1_000)).toBe('first')
    subscription.close()
  })

  test('nobody waits for it after three answers that did not come', async () => {
    await using own = await openTwo()
    await hurt(own)
    for (let i = 0; i < 3; i += 1) await own.one.get(['x'])
    const begin = performance.now()
    for (let i = 0; i < 20; i += 1) await own.one.claim(`key ${i}`, 'mine', 1_000)
    await own.one.subscribe('news', () => undefined).ready
    // One probe per second may be among them; 20 answers that do not come would take 4 s.
    expect(performance.now() - begin).toBeLessThan(2_000)
    // What opened the breaker is told, not that it is open.
    expect(own.errors.length).toBeGreaterThanOrEqual(3)
    expect(own.errors.length).toBeLessThanOrEqual(5)
  })
})

test('when the store is back it is asked again', async () => {
  await using own = await openTwo()
  own.redis.freeze()
  for (let i = 0; i < 4; i += 1) await own.one.get(['x'])
  await own.one.put(signal('outage')).catch(() => undefined)
  own.redis.thaw()
  await until(
    () =>
      own.one.put(signal('back')).then(
        () => true,
        () => false,
      ),
    { description: 'a put succeeds' },
  )
  expect(await own.two.get(['back'])).toEqual(['back'])
  // What was kept here is not forgotten.
  expect(await own.one.get(['outage', 'back'])).toEqual(['outage', 'back'])
})
