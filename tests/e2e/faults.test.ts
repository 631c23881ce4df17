import { TIMED } from '../../faults/history/services.ts'
import { crashingAtEach } from '../../faults/rows/crash-points.ts'
import { stoppedPostgres } from '../../faults/rows/postgres-faults.ts'
import { killedRedis, wipedRedis } from '../../faults/rows/redis-faults.ts'
import type { Row } from '../../faults/rows/row.ts'
import { silentVendors } from '../../faults/rows/vendor-faults.ts'
import { runRow } from '../../faults/run-row.ts'
import { SECOND } from '../../src/lib/units.ts'

/** The short form of `npm run faults`: some of its rows, several in one run, with little load and the same checker. */
const crashes = crashingAtEach(['after_fence', 'after_response'], 'workers of messages die')
const workersAndVendors: Row = {
  ...crashes,
  async hurt(stage) {
    await crashes.hurt(stage)
    await silentVendors.hurt(stage)
  },
}
const stores: Row = {
  title: 'Redis and PostgreSQL are cut off',
  async hurt(stage) {
    await killedRedis.hurt(stage)
    await wipedRedis.hurt(stage)
    await stoppedPostgres.hurt(stage)
  },
}

test(
  'every promise is kept while workers die, vendors are silent and stores are lost',
  async () => {
    // Side by side: most of the time they wait for the locks of dead workers to run out.
    const [first, second] = await Promise.all([
      runRow(workersAndVendors, { seed: 1, isShort: true }),
      runRow(stores, { seed: 2, isShort: true }),
    ])
    for (const { violations, figures, logs } of [first, second]) {
      const broken = violations.filter(({ equation }) => !TIMED.has(equation))
      if (broken.length > 0) throw new Error(`${JSON.stringify(broken, null, 2)}\n${logs}`)
      expect(figures.terminal).toBeGreaterThan(200)
      expect(figures.calls.sent).toBeGreaterThan(50)
      // With a store away, some are refused with 503 and none is taken and not sent.
      expect(figures.calls.sent / figures.calls.asked).toBeGreaterThan(0.95)
      expect(figures.settledMs).toBeDefined()
    }
    // Seconds of silence, and a worker that died between an answer and its note.
    expect(first.figures.repeated).toBeGreaterThan(0)
  },
  150 * SECOND,
)
