import fc from 'fast-check'
import { systemClock } from '../../src/lib/clock.ts'
import { newId } from '../../src/lib/ids.ts'
import { createClaims } from '../../src/push/claims.ts'
import { outcomeKey } from '../../src/push/outcomes.ts'
import type { Signals } from '../../src/signals/signals.ts'
import { BACKENDS } from '../support/gateway.ts'
import { openSignals } from '../support/stores.ts'

describe.each(BACKENDS)('the right to send a call on %s', (backend) => {
  let signals: Awaited<ReturnType<typeof openSignals>>
  beforeAll(async () => {
    signals = await openSignals(backend)
  })
  afterAll(() => signals[Symbol.asyncDispose]())

  const errors: Error[] = []
  const onError = (error: Error) => errors.push(error)
  const claimsOf = (which: 'one' | 'two') =>
    createClaims({ signals: signals[which], clock: systemClock, onError })
  const by = (holder: string) => ({ holder, until: Date.now() + 10_000 })

  test('is given once per try, to whoever asks first', async () => {
    const id = newId()
    const asked = Array.from({ length: 40 }, (_, i) =>
      claimsOf(i % 2 ? 'one' : 'two').take(id, 0, by(`worker ${i}`)),
    )
    const rights = await Promise.all(asked)
    expect(rights.filter(({ is }) => is === 'granted')).toHaveLength(1)
    expect(rights.filter(({ is }) => is === 'lost')).toHaveLength(39)
  })

  test('says to whoever comes later since when somebody has it', async () => {
    const [id, before] = [newId(), Date.now()]
    await claimsOf('one').take(id, 0, by('a'))
    const right = await claimsOf('two').take(id, 0, by('b'))
    expect(right.is === 'lost' && right.since).toBeGreaterThanOrEqual(before)
    expect(right.is === 'lost' && right.since).toBeLessThanOrEqual(Date.now())
  })

  test('is not given for the next try while nobody knows how the last one ended', async () => {
    const [id, claims] = [newId(), claimsOf('one')]
    expect(await claims.take(id, 0, by('a'))).toEqual({ is: 'granted', attempt: 0 })
    expect(await claimsOf('two').take(id, 1, by('b'))).toEqual({ is: 'lost', since: expect.any(Number) })
  })

  test('is given for the next try when the last one came to nothing', async () => {
    const [id, claims] = [newId(), claimsOf('one')]
    await claims.take(id, 0, by('a'))
    await claims.release(id, 0)
    // The job was taken from a worker that died after its try: that try is not made again.
    expect(await claimsOf('two').take(id, 0, by('b'))).toEqual({ is: 'over' })
    expect(await claimsOf('two').take(id, 1, by('b'))).toEqual({ is: 'granted', attempt: 1 })
    expect(await claims.take(id, 1, by('a'))).toEqual({ is: 'lost', since: expect.any(Number) })
  })

  test('is replaced by the result when there is one: a queue may repeat a job that had ended well', async () => {
    const [id, claims] = [newId(), claimsOf('one')]
    const result = { id, state: 'delivered', attempts: 1, closedAt: 5 } as const
    await claims.take(id, 0, by('a'))
    await signals.one.putFirst({ key: outcomeKey(id), value: JSON.stringify(result), ttlMs: 10_000 })
    expect(await claims.take(id, 0, by('b'))).toEqual({ is: 'known', result })
    expect(await claims.take(id, 1, by('b'))).toEqual({ is: 'known', result })
  })

  /** A store that does what it is asked, and breaks before it says so. */
  const deaf = (times: number) => {
    let left = times
    const claim: Signals['claim'] = async (...asked) => {
      const answer = await signals.one.claim(...asked)
      if (left-- > 0) throw new Error('the connection broke')
      return answer
    }
    return createClaims({ signals: { ...signals.one, claim }, clock: systemClock, onError })
  }

  test('is given when the store took the claim and broke before it said so, to nobody else', async () => {
    const id = newId()
    expect(await deaf(2).take(id, 0, by('a'))).toEqual({ is: 'granted', attempt: 0 })
    expect(await claimsOf('two').take(id, 0, by('b'))).toEqual({ is: 'lost', since: expect.any(Number) })
    await claimsOf('one').release(id, 0)
    expect(await deaf(1).take(id, 1, by('a'))).toEqual({ is: 'granted', attempt: 1 })
  })

  test('is not given when the store stays away, and then the same try is still to be made', async () => {
    const id = newId()
    const claim = () => Promise.reject(new Error('away'))
    const away = createClaims({ signals: { ...signals.one, claim }, clock: systemClock, onError })
    await expect(away.take(id, 0, { holder: 'a', until: 0 })).rejects.toThrow('away')
    expect(await claimsOf('two').take(id, 1, by('b'))).toEqual({ is: 'granted', attempt: 0 })
  })

  test('whatever workers do and wherever they die, the phone rings at most once', async () => {
    // What a worker that got the right meets: the provider takes the push, refuses it for now, or the worker dies on the way.
    const fate = fc.constantFrom(
      'accepted',
      'again',
      'dies before sending',
      'dies after sending',
      'dies after release',
    )
    const run = fc.record({
      by: fc.constantFrom('one' as const, 'two' as const),
      fate,
      repeated: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(run, { minLength: 1, maxLength: 12 }), async (runs) => {
        const id = newId()
        let [attempt, rings] = [0, 0]
        for (const [n, { by: node, fate, repeated }] of runs.entries()) {
          const claims = claimsOf(node)
          const right = await claims.take(id, attempt, by(`${node} ${n}`))
          if (right.is === 'over') attempt += 1
          if (right.is === 'granted') {
            if (fate === 'accepted' || fate === 'dies after sending') rings += 1
            if (fate === 'accepted') {
              const value = JSON.stringify({ id, state: 'delivered', attempts: 1, closedAt: 1 })
              await signals[node].putFirst({ key: outcomeKey(id), value, ttlMs: 60_000 })
            }
            if (fate === 'again' || fate === 'dies after release') await claims.release(id, right.attempt)
            // The queue counts a try that ended; one whose worker died keeps its number.
            if (fate === 'again' || (fate === 'accepted' && repeated)) attempt += 1
          }
        }
        expect(rings).toBeLessThanOrEqual(1)
      }),
      { numRuns: 100 },
    )
    expect(errors).toEqual([])
  })
})
