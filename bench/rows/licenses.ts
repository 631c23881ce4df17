import { httpRequest } from '../load/http-request.ts'
import type { BenchOptions } from '../options.ts'
import { median } from '../report/medians.ts'
import { type ApiProcess, startApi } from '../stack/api-process.ts'
import { type ProcessorReading, perUnit, readProcessors } from '../stack/processor-reading.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const CALLERS = 100
/**
 * One API with limits and one without, in turn: what else the machine does hits both alike. Many short pairs tell more than a few
 * long ones: a single one is off by more than what is looked for, and the half of them in the middle says by how much the median is.
 */
const PAIRS = 24

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
      {
        id: 'limited-us',
        label: 'processor time per push, with limits',
        unit: 'us',
        value: median(limits.on.map(({ us }) => us)),
        floor: median(limits.off.map(({ us }) => us)),
      },
      { id: 'limits-cost', label: 'the same, beside that without', unit: '%', value: limits.costPercent },
      {
        id: 'limits-cost-quarter',
        label: `a quarter of ${limits.on.length} pairs is below`,
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
      {
        id: 'limits-failed',
        label: 'pushes without success',
        unit: '',
        value: [...limits.on, ...limits.off].reduce((sum, { failed }) => sum + failed, 0),
      },
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

async function compareLimits(stack: Stack, options: BenchOptions, run: number) {
  // Both as fresh as the other.
  const start = (limits: 'on' | 'off') =>
    startApi({ env: { ...stack.env, RATE_LIMITS: limits }, log: stack.logOf(`api-limits-${limits}-${run}`) })
  await using limited = await start('on')
  await using unlimited = await start('off')
  const on: Sample[] = []
  const off: Sample[] = []
  // The first pair warms both up.
  for (let pair = 0; pair <= (options.quick ? 1 : PAIRS); pair += 1) {
    const measureOn = async () => pushes(stack, limited, `g${run}p${pair}on`)
    // Neither of them always comes second.
    const early = pair % 2 ? await measureOn() : undefined
    const free = await pushes(stack, unlimited, `g${run}p${pair}off`)
    const sample = early ?? (await measureOn())
    if (pair === 0) continue
    on.push(sample)
    off.push(free)
  }
  const pairs = on.map((own, i) => ({ limited: own, free: off[i] ?? own }))
  const percent = (ratios: number[]) => (median(ratios) - 1) * 100
  const costs = pairs.map(({ limited, free }) => (limited.us / free.us - 1) * 100).sort((a, b) => a - b)
  const quantile = (share: number) => costs[Math.round(share * (costs.length - 1))] ?? Number.NaN
  return {
    on,
    off,
    costPercent: median(costs),
    costQuartiles: [quantile(0.25), quantile(0.75)] as const,
    slowdownPercent: percent(pairs.map(({ limited, free }) => free.perSecond / limited.perSecond)),
  }
}

interface Sample {
  us: number
  perSecond: number
  failed: number
}

async function pushes(stack: Stack, api: ApiProcess, tag: string): Promise<Sample> {
  const readings: ProcessorReading[] = []
  await stack.recorder.reset()
  const load = await runLoad(
    'closedLoopPushes',
    {
      port: api.port,
      licenseKey: stack.tenant.licenseKey,
      tag,
      callers: CALLERS,
      warmUpMs: 500,
      measureMs: 2_000,
    },
    async () => void readings.push(await readProcessors({ ...stack, api })),
  )
  const [before, after] = readings
  if (!before || !after) throw new Error('the generator did not say when to read')
  const used = perUnit(before, after, load.measured / 1_000)
  return {
    us: used.api + used.worker + used.redis + used.postgres,
    perSecond: load.perSecond,
    failed: load.failed,
  }
}
