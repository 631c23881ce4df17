import fc from 'fast-check'
import { parseTime } from '../../src/license/parse-time.ts'

const two = (value: number) => String(value).padStart(2, '0')
const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
const daysOf = (year: number, month: number) =>
  [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0

const parts = {
  year: fc.integer({ min: 1970, max: 9999 }),
  month: fc.integer({ min: 1, max: 12 }),
  day: fc.integer({ min: 1, max: 31 }),
  seconds: fc.integer({ min: 0, max: 86_399 }),
  offset: fc.integer({ min: -(23 * 60 + 59), max: 23 * 60 + 59 }),
}

test('dates of the calendar are taken, and no others', () => {
  fc.assert(
    fc.property(fc.record(parts), ({ year, month, day }) => {
      const time = parseTime(`${year}-${two(month)}-${two(day)}`)
      expect(time).toBe(day <= daysOf(year, month) ? Date.UTC(year, month - 1, day) : undefined)
    }),
    { numRuns: 500 },
  )
})

test('times with an offset are the moment they mean', () => {
  fc.assert(
    fc.property(fc.record(parts), ({ year, month, day, seconds, offset }) => {
      const date = `${year}-${two(month)}-${two(Math.min(day, daysOf(year, month)))}`
      const clock = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
        .map(two)
        .join(':')
      const minutes = Math.abs(offset)
      const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
      const midnight = Date.UTC(year, month - 1, Math.min(day, daysOf(year, month)))
      const expected = midnight + (seconds - offset * 60) * 1_000
      const isNear = expected >= 0 && expected < Date.UTC(10_000, 0, 1)
      expect(parseTime(`${date}T${clock}${zone}`)).toBe(isNear ? expected : undefined)
      if (isNear) expect(parseTime(`${date} ${clock}.5${zone.replace('+00:00', 'z')}`)).toBe(expected + 500)
    }),
    { numRuns: 500 },
  )
})

test.each([
  '',
  ' ',
  'now',
  '0',
  '1800000000',
  '2027',
  '2027-1-1',
  '20270101',
  '2027-01-01Z',
  '2027-01-01T10:00',
  '2027-01-01T10:00:00',
  '2027-01-01T24:00:00Z',
  '2027-01-01T10:60:00Z',
  '2027-01-01T10:00:60Z',
  '2027-01-01T10:00:00+24:00',
  '2027-01-01T10:00:00+1:00',
  '2027-02-29',
  '2027-04-31',
  '2027-00-10',
  '2027-13-10',
  '2027-01-00',
  '+02027-01-01',
  ' 2027-01-01',
  '2027-01-01\n',
  '２０２７-01-01',
  '1969-12-31',
  '0000-01-01T00:00:00+23:59',
  '9999-12-31T23:59:59-00:01',
])('%j is none', (text) => {
  expect(parseTime(text)).toBeUndefined()
})

test('any text at all gives a time or nothing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const time = parseTime(text)
      expect(time === undefined || Number.isSafeInteger(time)).toBe(true)
    }),
  )
})
