import { readRetryAfter } from '../../src/push/providers/retry-after.ts'

const NOW = Date.UTC(2026, 10, 21, 12)

test.each([
  ['0', 0],
  ['3', 3_000],
  ['120', 120_000],
  ['86400', 300_000],
  ['9'.repeat(400), 300_000],
  ['Sat, 21 Nov 2026 12:00:07 GMT', 7_000],
  ['Saturday, 21-Nov-26 12:00:07 GMT', 7_000],
  ['Sat Nov 21 12:00:07 2026', 7_000],
  ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
  ['Sat, 21 Nov 2037 12:00:00 GMT', 300_000],
])('%j', (value, ms) => {
  expect(readRetryAfter(value, NOW)).toBe(ms)
})

test.each(['', '-5', '-1', '1.5', 'soon', 'in 3 s', '0x10', '1e3', ' 3', '21 Nov 2026', 'Sat', undefined, 7])(
  '%j says nothing',
  (value) => {
    expect(readRetryAfter(value, NOW)).toBeUndefined()
  },
)
