import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const AT_ONCE = 50

/** Row b: from the registration reported to the held call answered. */
export const release: Row = async ({ port, tenant, redis }, { quick }, run) => {
  const extensions = 200
  const phones = { port, pbxKey: tenant.pbxKey, prefix: 'b' }
  if (run === 1) await runLoad('phones', { ...phones, count: extensions })
  const seen = await runLoad('releasedHolds', {
    ...phones,
    tag: `b${run}`,
    extensions,
    oneByOne: quick ? 100 : 300,
    rounds: quick ? 3 : 8,
    atOnce: AT_ONCE,
  })
  const floor = await runLoad('roundTrips', { redisUrl: redis.url, port, count: quick ? 500 : 2_000 })
  const p50 = floor.message.p50 + floor.health.p50
  const p99 = floor.message.p99 + floor.health.p99

  return {
    measurements: [
      {
        id: 'release-p50',
        label: 'registration -> hold released, one by one, p50',
        unit: 'ms',
        value: seen.oneByOne.p50,
        floor: p50,
      },
      { id: 'release-p99', label: 'the same, p99', unit: 'ms', value: seen.oneByOne.p99, floor: p99 },
      {
        id: 'release-many-p50',
        label: `${AT_ONCE} at once, p50`,
        unit: 'ms',
        value: seen.atOnce.p50,
        floor: p50,
      },
      { id: 'release-many-p99', label: 'the same, p99', unit: 'ms', value: seen.atOnce.p99, floor: p99 },
      { id: 'release-lost', label: 'holds that did not end as registered', unit: '', value: seen.lost },
    ],
    details: { seen, floor },
  }
}
