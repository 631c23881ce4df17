import { dayOf, endOfDay, pushLimits } from '../../src/limits/push-limits.ts'

const MOST = 2 ** 31 - 1

test.each([
  // extensions, own quotas, calls per 10 s, messages per 10 s, calls a day, messages a day
  [1, {}, 50, 50, 2_000, 2_000],
  [2, {}, 50, 50, 2_000, 2_000],
  [3, {}, 50, 60, 3_000, 3_000],
  [5, {}, 50, 100, 5_000, 5_000],
  [25, {}, 250, 500, 25_000, 25_000],
  [100, {}, 1_000, 2_000, 100_000, 100_000],
  [100, { callsPerDay: 7 }, 1_000, 2_000, 7, 100_000],
  [100, { messagesPerDay: 0 }, 1_000, 2_000, 100_000, 0],
  [10_000_000, {}, 100_000_000, 200_000_000, MOST, MOST],
  [MOST, { callsPerDay: MOST }, MOST, MOST, MOST, MOST],
])(
  'a licence for %i extensions with %j',
  (maxExtensions, quotas, callBurst, messageBurst, calls, messages) => {
    expect(pushLimits({ maxExtensions, ...quotas })).toEqual({
      calls: { burst: callBurst, day: calls },
      messages: { burst: messageBurst, day: messages },
    })
  },
)

test('days are UTC days', () => {
  const last = Date.parse('2026-11-21T23:59:59.999Z')
  expect(dayOf(last)).toBe('2026-11-21')
  expect(endOfDay(last)).toBe(last + 1)
  expect(dayOf(last + 1)).toBe('2026-11-22')
  expect(endOfDay(last + 1)).toBe(last + 1 + 24 * 3_600_000)
  expect(dayOf(last)).toBe('2026-11-21')
})
