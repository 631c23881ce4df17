import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const CALLS_PER_SECOND = 500

/** Row a: from the request written by the PBX to the request arrived at the provider. */
export const latency: Row = async (stack, { quick }, run) => {
  const { recorder, port, tenant, redis } = stack
  const pace = {
    perSecond: CALLS_PER_SECOND,
    warmUpMs: quick ? 1_500 : 4_000,
    measureMs: quick ? 3_000 : 10_000,
  }

  await recorder.reset()
  const load = await runLoad('pacedPushes', { ...pace, port, licenseKey: tenant.licenseKey, tag: `a${run}` })
  const { latency: seen, ...counts } = await recorder.report()

  await recorder.reset()
  const raw = await runLoad('pacedRawPushes', { ...pace, ready: recorder.ready })
  const { latency: floor } = await recorder.report()
  const trips = await runLoad('roundTrips', { redisUrl: redis.url, port, count: quick ? 500 : 2_000 })
  const { command } = trips

  return {
    measurements: [
      {
        id: 'latency-p50',
        label: `request in -> provider request out at ${CALLS_PER_SECOND}/s, p50`,
        unit: 'ms',
        value: seen.p50,
        floor: floor.p50 + command.p50,
      },
      {
        id: 'latency-p99',
        label: 'the same, p99',
        unit: 'ms',
        value: seen.p99,
        floor: floor.p99 + command.p99,
      },
      { id: 'latency-failed', label: 'pushes without success', unit: '', value: load.failed },
    ],
    details: { load, counts, seen, floor: { http2: floor, redis: command, failed: raw.failed } },
  }
}
