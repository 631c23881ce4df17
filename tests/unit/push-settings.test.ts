import fc from 'fast-check'
import { DEFAULT_PUSH_SETTINGS, isQuiet, type PushSettings } from '../../src/chat/push-settings.ts'

const at = (text: string) => Date.parse(text)
const settings = (change: Partial<PushSettings>): PushSettings => ({ ...DEFAULT_PUSH_SETTINGS, ...change })
const night = settings({
  dndSchedule: [{ days: [1, 2, 3, 4, 5], from: '22:00', to: '07:00' }],
  timeZone: 'Europe/Berlin',
})

// 27 November 2026 is a Friday; Berlin is an hour ahead of UTC.
test.each([
  ['2026-11-27T20:59:59Z', false, 'a second before it begins'],
  ['2026-11-27T21:00:00Z', true, 'when it begins'],
  ['2026-11-28T05:59:59Z', true, 'on Saturday morning it still is Friday night'],
  ['2026-11-28T06:00:00Z', false, 'when it ends'],
  ['2026-11-28T21:30:00Z', false, 'on Saturday evening'],
  ['2026-11-30T05:00:00Z', false, 'on Monday morning, because Sunday has no night'],
  ['2026-07-03T20:00:00Z', true, 'in summer, when Berlin is two hours ahead'],
  ['2026-07-03T19:59:00Z', false, 'a minute before that'],
])('quiet hours over midnight: %s is %s (%s)', (time, expected) => {
  expect(isQuiet(night, at(time))).toBe(expected)
})

test.each([
  ['2026-03-29T00:59:00Z', false],
  ['2026-03-29T01:00:00Z', true],
  ['2026-10-25T00:30:00Z', true],
  ['2026-10-25T01:30:00Z', true],
  ['2026-10-25T02:30:00Z', false],
])('the clock of the wall counts when it is put forward or back: %s is %s', (time, expected) => {
  const hours = { days: [7], from: '02:30', to: '03:30' }
  const early = settings({ dndSchedule: [{ ...hours, from: '02:00' }], timeZone: 'Europe/Berlin' })
  expect(isQuiet(early, at(time))).toBe(expected)
})

test('until a moment, whatever the schedule says', () => {
  const until = settings({ dndUntil: new Date('2026-11-27T12:00:00Z') })
  expect(isQuiet(until, at('2026-11-27T11:59:59.999Z'))).toBe(true)
  expect(isQuiet(until, at('2026-11-27T12:00:00Z'))).toBe(false)
  expect(isQuiet(DEFAULT_PUSH_SETTINGS, Date.now())).toBe(false)
})

test('a day that begins and ends at the same time is quiet all day, and no other', () => {
  const minute = fc.nat({ max: 7 * 24 * 60 - 1 })
  fc.assert(
    fc.property(minute, fc.integer({ min: 1, max: 7 }), (offset, day) => {
      const whole = settings({ dndSchedule: [{ days: [day], from: '00:00', to: '00:00' }] })
      // 23 November 2026 is a Monday.
      const now = at('2026-11-23T00:00:00Z') + offset * 60_000
      expect(isQuiet(whole, now)).toBe(Math.floor(offset / 1_440) + 1 === day)
    }),
  )
})
