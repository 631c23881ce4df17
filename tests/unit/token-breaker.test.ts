import fc from 'fast-check'
import { createTokenBreaker, MAX_TOKENS, WINDOW_MS } from '../../src/push/token-breaker.ts'
import { createTestClock } from '../support/token-books.ts'

/** When what is said against tokens counts for nothing: more than 5 tokens and more than a fifth of them, within a minute. */
const APP = { appId: 'default', provider: 'apns', environment: 'production' } as const
const BAD = 'BadDeviceToken'

function openBreaker() {
  const clock = createTestClock()
  const changes: [scope: object, reason: string, isOpen: boolean][] = []
  const breaker = createTokenBreaker({ clock, onChange: (...change) => changes.push(change) })
  const answered = (tokens: number, complaint?: string, name = complaint ?? 'good') => {
    for (let i = 0; i < tokens; i += 1) breaker.observe(APP, `${name}-${i}`, complaint)
  }
  return { clock, changes, breaker, answered, isOpen: () => breaker.isOpen(APP, BAD) }
}

test('opens at the sixth token of the same reason, says so once, and closes when a minute is over', () => {
  const { breaker, answered, isOpen, changes, clock } = openBreaker()
  answered(5, BAD)
  expect(isOpen()).toBe(false)
  answered(6, BAD)
  expect(isOpen()).toBe(true)
  answered(9, BAD)
  expect(changes).toEqual([[APP, BAD, true]])
  clock.advance(WINDOW_MS - 1)
  expect(breaker.review()).toBe(true)
  clock.advance(1)
  expect(breaker.review()).toBe(false)
  expect(changes).toEqual([
    [APP, BAD, true],
    [APP, BAD, false],
  ])
})

test('closes when enough other tokens are answered well', () => {
  const { answered, isOpen, changes } = openBreaker()
  answered(6, BAD)
  answered(23)
  expect(isOpen()).toBe(true)
  answered(24)
  expect(isOpen()).toBe(false)
  expect(changes.map(([, , open]) => open)).toEqual([true, false])
})

test('keeps apps, providers, environments and reasons apart', () => {
  const { breaker, answered } = openBreaker()
  answered(6, BAD)
  expect(breaker.isOpen(APP, 'DeviceTokenNotForTopic')).toBe(false)
  expect(breaker.isOpen({ ...APP, appId: 'other' }, BAD)).toBe(false)
  expect(breaker.isOpen({ ...APP, provider: 'fcm' }, BAD)).toBe(false)
  expect(breaker.isOpen({ ...APP, environment: 'sandbox' }, BAD)).toBe(false)
  expect(breaker.isOpen(APP, BAD)).toBe(true)
})

test('one token that fails over and over is one token', () => {
  const { breaker, isOpen } = openBreaker()
  for (let i = 0; i < 100; i += 1) breaker.observe(APP, 'the same', BAD)
  expect(isOpen()).toBe(false)
})

test('with more tokens than it keeps, it judges by the newest, and rightly', () => {
  const { breaker, isOpen } = openBreaker()
  const answer = (tokens: number, everyNthIsBad: number, name: string) => {
    for (let i = 0; i < tokens; i += 1) {
      breaker.observe(APP, `${name}-${i}`, i % everyNthIsBad === 0 ? BAD : undefined)
    }
  }
  answer(3 * MAX_TOKENS, 10, 'healthy')
  expect(isOpen()).toBe(false)
  answer(MAX_TOKENS, 3, 'broken')
  expect(isOpen()).toBe(true)
  answer(MAX_TOKENS, 10, 'mended')
  expect(isOpen()).toBe(false)
})

test('it tells of a scope, and keeps nothing else of what it was given', () => {
  const { breaker, changes } = openBreaker()
  for (let i = 0; i < 6; i += 1) breaker.observe({ ...APP, token: 'in clear' } as typeof APP, `t-${i}`, BAD)
  expect(changes).toEqual([[APP, BAD, true]])
})

describe('for any answers', () => {
  const complaint = fc.constantFrom(undefined, undefined, BAD, 'DeviceTokenNotForTopic')
  const answer = fc.record({ after: fc.integer({ min: 0, max: 9_000 }), token: fc.nat(30), complaint })
  const answers = fc.array(answer, { maxLength: 120, size: 'max' })

  test('it is open exactly while the last words of a minute are too much alike', () => {
    fc.assert(
      fc.property(answers, (all) => {
        const { clock, breaker, changes } = openBreaker()
        const words = new Map<number, { at: number; complaint: string | undefined }>()
        for (const { after, token, complaint } of all) {
          clock.advance(after)
          breaker.observe(APP, String(token), complaint)
          words.set(token, { at: clock.monotonic(), complaint })
          const recent = [...words.values()].filter(({ at }) => clock.monotonic() - at < WINDOW_MS)
          const bad = recent.filter((word) => word.complaint === BAD).length
          expect(breaker.isOpen(APP, BAD)).toBe(bad > 5 && bad / recent.length > 0.2)
        }
        // Whatever came before, a minute of silence is the end of it, and every opening is followed by its end.
        clock.advance(WINDOW_MS)
        expect(breaker.review()).toBe(false)
        for (const reason of [BAD, 'DeviceTokenNotForTopic']) {
          const own = changes.filter(([, about]) => about === reason).map(([, , open]) => open)
          expect(own).toEqual(own.map((_, index) => index % 2 === 0))
          expect(own.length % 2).toBe(0)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('a minute of good answers closes it', () => {
    fc.assert(
      fc.property(answers, fc.integer({ min: 1, max: 20 }), (all, seconds) => {
        const { clock, breaker, isOpen } = openBreaker()
        for (const { after, token, complaint } of all) {
          clock.advance(after)
          breaker.observe(APP, String(token), complaint)
        }
        for (let passed = 0; passed < WINDOW_MS; passed += seconds * 1_000) {
          clock.advance(seconds * 1_000)
          breaker.observe(APP, 'good', undefined)
        }
        expect(isOpen()).toBe(false)
      }),
    )
  })
})
