import { httpRequest } from '../load/http-request.ts'
import type { BenchOptions } from '../options.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'
import { compareLimits } from './compare-limits.ts'
import type { Measurement, Row } from './measurement.ts'

const CALLERS = 100

/** Row g: what the licence server does, and what it costs a push. */
export const licenses: Row = async (stack, options, run) => {
  const validations = await requests(stack, options, validation(stack.tenant.licenseKey), '"valid":true')
  const floor = await requests(stack, options, httpRequest('GET', '/healthz'), 'ok')
  const limits = await compareLimits(stack, options, run)

  return {
    measurements: [
      {
        id: 'validations-per-second',
        label: `/v1/license/validate, ${CALLERS} callers`,
        unit: '/s',
        value: validations.perSecond,
        floor: floor.perSecond,
      },
      { id: 'validations-p99', label: 'the same, p99', unit: 'ms', value: validations.answerMs.p99 },
      { id: 'validations-failed', label: 'answers that were no', unit: '', value: validations.failed },
      ...describe(limits),
    ],
    details: { validations, floor, limits },
  }
}

const validation = (licenseKey: string) =>
  httpRequest('POST', '/v1/license/validate', { body: { license_key: licenseKey } })

const requests = ({ port }: Stack, { quick }: BenchOptions, request: string, expected: string) =>
  runLoad('closedLoopRequests', {
    ...{ port, request, expected },
    callers: CALLERS,
    warmUpMs: quick ? 1_000 : 3_000,
    measureMs: quick ? 2_000 : 8_000,
  })

const describe = (limits: Awaited<ReturnType<typeof compareLimits>>): Measurement[] => [
  {
    id: 'limited-us',
    label: 'processor time of the API per push, with limits',
    unit: 'us',
    value: limits.apiUs.on,
    floor: limits.apiUs.off,
  },
  {
    id: 'limits-cost',
    label: 'the difference, in the time of all processes',
    unit: '%',
    value: limits.costPercent,
  },
  {
    id: 'limits-cost-quarter',
    label: `a quarter of ${limits.costs.length} looks is below`,
    unit: '%',
    value: limits.costQuartiles[0],
  },
  {
    id: 'limits-cost-three-quarters',
    label: 'a quarter of them is above',
    unit: '%',
    value: limits.costQuartiles[1],
  },
  {
    id: 'limits-slowdown',
    label: 'pushes a second, beside those without',
    unit: '%',
    value: limits.slowdownPercent,
  },
  { id: 'limits-failed', label: 'pushes without success', unit: '', value: limits.failed },
]
