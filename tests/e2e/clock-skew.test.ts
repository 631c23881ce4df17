import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { type ClockWatchDeps, startClockWatch } from '../../src/observability/clock-watch.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { recordedLogger } from '../support/recorded-logger.ts'

const aheadBy = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms })

/** What the gauge says once somebody has looked: it is exactly 0 before. */
const skewOf = ({ context }: TestGateway) =>
  until(
    async () => {
      const metrics = await context.metrics.registry.metrics()
      return Number(/^wakeline_clock_skew_seconds (\S+)$/m.exec(metrics)?.[1])
    },
    { description: 'the clocks were compared' },
  )

describe.each(BACKENDS)('the clock of a host, on %s', (backend) => {
  test.each([
    ['ahead', 10_000],
    ['behind', -10_000],
  ])('that is %s of the database by too much is told of', async (_, ms) => {
    const { lines, logger } = recordedLogger('error')
    await using gateway = await startTestGateway({ backend, logger, clock: aheadBy(ms) })
    const skew = await skewOf(gateway)
    // Both are of one machine; what is left is the time of the question.
    expect(Math.abs(skew - ms / 1_000)).toBeLessThan(2)
    const [told] = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'clock.skew')
    expect(told).toMatchObject({ level: 'error', skew_seconds: Number(skew.toFixed(3)) })
  })

  test('that agrees is measured, and nobody is told', async () => {
    const { lines, logger } = recordedLogger('error')
    await using gateway = await startTestGateway({ backend, logger })
    expect(Math.abs(await skewOf(gateway))).toBeLessThan(2)
    expect(lines).toEqual([])
  })
})

describe('comparing two clocks', () => {
  /** One look: the database answers `databaseTime` after `answerMs`. */
  async function look(databaseTime: () => Promise<number>, answerMs: number) {
    let monotonic = 0
    const told: { seconds: number; isTooFar: boolean }[] = []
    const faults: string[] = []
    const deps: ClockWatchDeps = {
      clock: { now: () => 1_000_000, monotonic: () => monotonic },
      databaseTime() {
        monotonic += answerMs
        return databaseTime()
      },
      events: {
        clockSkew: (seconds, isTooFar) => void told.push({ seconds, isTooFar }),
        backgroundError: (part) => void faults.push(part),
      },
    }
    const watch = startClockWatch(deps)
    await watch.close(1_000)
    return { told, faults }
  }

  test.each([
    // ours is 1,000,000 at the question and so much more at the answer; which of them the other clock means is not known
    { there: 999_500, answerMs: 0, seconds: 0.5, isTooFar: false },
    { there: 999_499, answerMs: 0, seconds: 0.501, isTooFar: true },
    { there: 1_000_501, answerMs: 0, seconds: -0.501, isTooFar: true },
    { there: 1_000_000, answerMs: 4_000, seconds: 2, isTooFar: false },
    { there: 1_004_000, answerMs: 4_000, seconds: -2, isTooFar: false },
    { there: 1_004_501, answerMs: 4_000, seconds: -2.501, isTooFar: true },
  ])('$there after $answerMs ms: $seconds s', async ({ there, answerMs, seconds, isTooFar }) => {
    const { told } = await look(async () => there, answerMs)
    expect(told).toEqual([{ seconds, isTooFar }])
  })

  test('a database that is away is a fault of the background', async () => {
    const { told, faults } = await look(() => Promise.reject(new Error('away')), 0)
    expect({ told, faults }).toEqual({ told: [], faults: ['clock'] })
  })
})
