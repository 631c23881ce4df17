import fc from 'fast-check'
import { DAY, HOUR, MINUTE, SECOND } from '../../src/lib/units.ts'
import { JITTER, pauseAfter } from '../../src/webhooks/retry-schedule.ts'

test('the pauses are the ones that docs/webhooks.md promises', () => {
  const pauses = Array.from({ length: 10 }, (_, index) => pauseAfter(index + 1, 0))
  const hours = [2 * HOUR, 5 * HOUR, 10 * HOUR, 24 * HOUR, 24 * HOUR]
  expect(pauses).toEqual([10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, ...hours, undefined])
})

test('whatever chance adds: ten attempts, each pause as long as planned or a tenth more, none shorter than the one before', () => {
  const chances = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 9, maxLength: 9 })
  fc.assert(
    fc.property(chances, (given) => {
      const pauses = given.map((chance, index) => pauseAfter(index + 1, chance) ?? Number.NaN)
      pauses.forEach((pause, index) => {
        const planned = pauseAfter(index + 1, 0) ?? Number.NaN
        expect(Number.isInteger(pause)).toBe(true)
        expect(pause).toBeGreaterThanOrEqual(planned)
        expect(pause).toBeLessThanOrEqual(planned * (1 + JITTER) + 1)
        // The two pauses of a day may change places by chance.
        if (index > 0 && index < 8) expect(pause).toBeGreaterThan(pauses[index - 1] ?? Number.NaN)
      })
      const total = pauses.reduce((sum, pause) => sum + pause, 0)
      expect(total).toBeGreaterThan(2.7 * DAY)
      expect(total).toBeLessThan(3.1 * DAY)
    }),
  )
})

test('after the tenth attempt, or any later one, there is none', () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 32_767 }), (attempts) => {
      expect(pauseAfter(attempts)).toBeUndefined()
    }),
  )
})

test('left to chance, events that failed together come back apart', () => {
  const pauses = new Set(Array.from({ length: 100 }, () => pauseAfter(9)))
  expect(pauses.size).toBeGreaterThan(90)
})
