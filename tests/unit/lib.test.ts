import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { jest } from '@jest/globals'
import fc from 'fast-check'
import { v5 as uuidv5, validate, version } from 'uuid'
import { parsePrefer } from '../../src/http/prefer.ts'
import { createBatcher } from '../../src/lib/batcher.ts'
import { inTime, TimedOut, within } from '../../src/lib/deadline.ts'
import { callUuid, derivedId, newId } from '../../src/lib/ids.ts'
import { createKeyCache } from '../../src/lib/key-cache.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { createReleaser } from '../../src/lib/releaser.ts'

describe('keyring', () => {
  const keyring = createKeyring(randomBytes(32))
  test('opens what it sealed, in its place only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const box = keyring.seal(text, 'here')
        expect(keyring.open(box, 'here')).toBe(text)
        expect(() => keyring.open(box, 'there')).toThrow()
      }),
    )
  })
  test('refuses a box that was altered or sealed with another key', () => {
    const box = Buffer.from(keyring.seal('token', 'x'), 'base64')
    box[box.length - 1] = (box.at(-1) ?? 0) ^ 1
    expect(() => keyring.open(box.toString('base64'), 'x')).toThrow()
    expect(() => createKeyring(randomBytes(32)).open(keyring.seal('token', 'x'), 'x')).toThrow()
  })
  test('hashes the same word differently for each purpose', () => {
    const { tokenHash, licenseKeyHash, pbxKeyHash, sessionHash } = keyring
    expect(
      new Set([tokenHash, licenseKeyHash, pbxKeyHash, sessionHash].map((hash) => hash('word'))).size,
    ).toBe(4)
  })
})

describe('ids', () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[58][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  test('are the same for the same parts and differ for others, also when the parts are cut elsewhere', () => {
    expect(derivedId('a', 'b')).toBe(derivedId('a', 'b'))
    expect(derivedId('a', 'b')).not.toBe(derivedId('ab'))
    expect(derivedId('a', 'b')).toMatch(uuid)
    expect(callUuid('t', 'c', 'h')).toBe(callUuid('t', 'c', 'h'))
    expect(callUuid('t', 'c', 'h')).not.toBe(callUuid('t', 'c', 'i'))
    expect(callUuid('t', 'c', 'h')).toMatch(uuid)
  })
})

test('ids agree with those of the library', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (tenant, call, hash) => {
      const name = `${tenant}\n${call}\n${hash}`
      expect(callUuid(tenant, call, hash)).toBe(uuidv5(name, '0b5c6f4e-6f4b-5d0f-9a57-2f6d1c1f8a11'))
      expect(version(derivedId(tenant, call))).toBe(8)
    }),
  )
  const ids = Array.from({ length: 1_000 }, newId)
  expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true)
  expect(new Set(ids).size).toBe(1_000)
  expect(
    Math.abs(Number.parseInt((ids[0] ?? '').replace('-', '').slice(0, 12), 16) - Date.now()),
  ).toBeLessThan(1_000)
})

describe('Prefer', () => {
  const cases: [string | string[] | undefined, object][] = [
    [undefined, { respondAsync: false }],
    ['wait=5', { respondAsync: false, waitSeconds: 5 }],
    ['respond-async, wait=10', { respondAsync: true, waitSeconds: 10 }],
    ['WAIT = "7"; foo=bar', { respondAsync: false, waitSeconds: 7 }],
    ['wait=-1', { respondAsync: false }],
    ['wait=1e9', { respondAsync: false }],
    ['wait', { respondAsync: false }],
    [['respond-async', 'wait=3'], { respondAsync: true, waitSeconds: 3 }],
  ]
  test.each(cases)('%j', (header, preference) => {
    expect(parsePrefer(header)).toEqual(preference)
  })
})

describe('batcher', () => {
  test('sends what is asked for in one turn together and gives each its own answer', async () => {
    const batches: number[][] = []
    const batcher = createBatcher(
      async (items: number[]) => {
        batches.push(items)
        return items.map((item) => item * 2)
      },
      { size: 3, parallel: 1 },
    )
    expect(await Promise.all([1, 2, 3, 4].map((n) => batcher.add(n)))).toEqual([2, 4, 6, 8])
    expect(batches).toEqual([[1, 2, 3], [4]])
  })
  test('rejects a whole batch that failed, and goes on with the next', async () => {
    let fail = true
    const batcher = createBatcher(
      async (items: number[]) => {
        if (fail) throw new Error('store away')
        return items
      },
      { size: 10, parallel: 1 },
    )
    const results = await Promise.allSettled([batcher.add(1), batcher.add(2)])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    fail = false
    expect(await batcher.add(3)).toBe(3)
  })
})

describe('key cache', () => {
  const stale = { found: 'license', isStale: true }
  const cacheOf = <Found>(
    find: (hash: string) => Promise<Found | undefined>,
    onError: (error: unknown) => void = fail,
  ) => createKeyCache({ find, onError, staleMs: 15 * 60_000 })

  test('asks once for many at the same time', async () => {
    let asked = 0
    const cache = cacheOf(async (hash) => {
      asked += 1
      return `${hash}${asked}`
    })
    const all = await Promise.all(Array.from({ length: 20 }, () => cache.get('k')))
    expect(all).toEqual(Array(20).fill({ found: 'k1', isStale: false }))
    expect(await cache.get('k')).toEqual({ found: 'k1', isStale: false })
  })
  test('does not wait for a store that hangs', async () => {
    const cache = cacheOf(() => new Promise<never>(() => undefined))
    await expect(cache.get('k')).rejects.toThrow('looking a key up took longer than 500 ms')
  })
  test('waits for a store that hangs only briefly when it knows the key', async () => {
    jest.useFakeTimers({ now: 0, doNotFake: ['nextTick', 'setImmediate'] })
    try {
      const errors: unknown[] = []
      const answers = [Promise.resolve('license'), new Promise<never>(() => undefined)]
      const cache = cacheOf(
        () => answers.shift() ?? fail('asked too often'),
        (error) => errors.push(error),
      )
      await cache.get('k')
      jest.advanceTimersByTime(6_000)
      const got = cache.get('k')
      await jest.advanceTimersByTimeAsync(150)
      expect(await got).toEqual(stale)
      expect(errors).toHaveLength(1)
      expect(await cache.get('k')).toEqual(stale)
    } finally {
      jest.useRealTimers()
    }
  })
  test('forgets the oldest of too many keys, so that a guesser cannot fill the memory', async () => {
    const asked: string[] = []
    const cache = cacheOf(async (hash) => void asked.push(hash))
    for (let i = 0; i <= 10_000; i += 1) await cache.get(`k${i}`)
    await cache.get('k10000')
    expect(asked).toHaveLength(10_001)
    await cache.get('k0')
    expect(asked.at(-1)).toBe('k0')
    expect(asked).toHaveLength(10_002)
  })
  test('does not forget a good key over any number of wrong ones', async () => {
    let away = false
    const cache = cacheOf(
      (hash) =>
        away ? Promise.reject(new Error('away')) : Promise.resolve(hash === 'good' ? 'license' : undefined),
      () => undefined,
    )
    await cache.get('good')
    for (let i = 0; i <= 10_000; i += 1) await cache.get(`k${i}`)
    away = true
    expect(cache.isKnown('good')).toBe(true)
    expect(cache.isKnown('k10000')).toBe(false)
    expect(await cache.get('good')).toMatchObject({ found: 'license' })
  })
  test('throws when the store is away and nothing is known', async () => {
    const cache = cacheOf(() => Promise.reject(new Error('away')))
    await expect(cache.get('k')).rejects.toThrow('away')
  })
  test('goes on with what it knew while the store is away', async () => {
    jest.useFakeTimers({ now: 0, doNotFake: ['nextTick', 'setImmediate'] })
    try {
      let away = false
      const errors: unknown[] = []
      const cache = cacheOf(
        () => (away ? Promise.reject(new Error('away')) : Promise.resolve('license')),
        (error) => errors.push(error),
      )
      expect(await cache.get('k')).toEqual({ found: 'license', isStale: false })
      away = true
      jest.setSystemTime(6_000)
      jest.advanceTimersByTime(6_000)
      expect(await cache.get('k')).toEqual(stale)
      expect(errors).toHaveLength(1)
      // The store is asked again after a second, not by each request in between.
      jest.advanceTimersByTime(900)
      expect(await cache.get('k')).toEqual(stale)
      expect(errors).toHaveLength(1)
      jest.advanceTimersByTime(200)
      expect(await cache.get('k')).toEqual(stale)
      expect(errors).toHaveLength(2)
      jest.advanceTimersByTime(16 * 60_000)
      await expect(cache.get('k')).rejects.toThrow('away')
    } finally {
      jest.useRealTimers()
    }
  })
  test('takes an answer for 4 s from when it was asked for, not from when it came', async () => {
    jest.useFakeTimers({ now: 0, doNotFake: ['nextTick', 'setImmediate'] })
    try {
      let asked = 0
      const cache = cacheOf(async () => {
        asked += 1
        await new Promise((resolve) => setTimeout(resolve, 400))
        return `license ${asked}`
      })
      const first = cache.get('k')
      await jest.advanceTimersByTimeAsync(400)
      expect(await first).toEqual({ found: 'license 1', isStale: false })
      await jest.advanceTimersByTimeAsync(3_599)
      expect(await cache.get('k')).toEqual({ found: 'license 1', isStale: false })
      await jest.advanceTimersByTimeAsync(1)
      void cache.get('k').catch(() => undefined)
      expect(asked).toBe(2)
    } finally {
      jest.useRealTimers()
    }
  })
  test('believes what was asked last, whichever answer comes last', async () => {
    jest.useFakeTimers({ now: 0, doNotFake: ['nextTick', 'setImmediate'] })
    try {
      const answers: ((found: string | undefined) => void)[] = []
      const cache = cacheOf(
        () => new Promise<string | undefined>((resolve) => answers.push(resolve)),
        () => undefined,
      )
      const early = cache.get('k')
      const refused = expect(early).rejects.toThrow('took longer')
      await jest.advanceTimersByTimeAsync(500)
      await refused
      // Revoked between the two questions; the answer to the first one was on its way all the time.
      const late = cache.get('k')
      answers[1]?.(undefined)
      expect(await late).toEqual({ found: undefined, isStale: false })
      answers[0]?.('license')
      await jest.advanceTimersByTimeAsync(0)
      expect(cache.isKnown('k')).toBe(false)
      expect(await cache.get('k')).toEqual({ found: undefined, isStale: false })
    } finally {
      jest.useRealTimers()
    }
  })
  const fail = (error: unknown) => {
    throw error
  }
})

test('a deadline does not wait for the work, and the work may fail later', async () => {
  const { promise, reject } = Promise.withResolvers<void>()
  await expect(within(1, 'it', promise)).rejects.toBeInstanceOf(TimedOut)
  reject(new Error('late'))
  expect(await within(1_000, 'it', Promise.resolve(5))).toBe(5)
})

test('an answer that came while the process was busy is not late, for who asks for that', async () => {
  const busy = (ms: number) => {
    const end = performance.now() + ms
    while (performance.now() < end);
  }
  // After the turn of an immediate come the timers, and only then what has been read.
  const turn = () => new Promise(setImmediate)
  await turn()
  const judged = within(20, 'it', stat(import.meta.dirname))
  busy(60)
  await expect(judged).rejects.toBeInstanceOf(TimedOut)
  await turn()
  const patient = inTime(20, 'it', stat(import.meta.dirname))
  busy(60)
  expect((await patient).isDirectory()).toBe(true)
  await expect(inTime(1, 'it', new Promise(() => undefined))).rejects.toBeInstanceOf(TimedOut)
})

test('a releaser closes in reverse, also after a failure, and tells the first one', async () => {
  const closed: string[] = []
  const releaser = createReleaser()
  releaser.add('a', (name) => closed.push(name))
  releaser.add('b', () => {
    throw new Error('b is stuck')
  })
  releaser.add('c', (name) => closed.push(name))
  await expect(releaser.release()).rejects.toThrow('b is stuck')
  expect(closed).toEqual(['c', 'a'])
})
