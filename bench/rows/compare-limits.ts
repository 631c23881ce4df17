import type { BenchOptions } from '../options.ts'
import { median } from '../report/medians.ts'
import { type ApiProcess, startApi } from '../stack/api-process.ts'
import { type ProcessorReading, perUnit, readProcessors } from '../stack/processor-reading.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'

const CALLERS = 100
/** What one pair says is off by more than what is looked for, so it takes many short ones. */
const PAIRS = 24
const LOOKS = 24

/** What counting costs a push: two APIs over the same stores, one of them with `RATE_LIMITS=off`. */
export async function compareLimits(stack: Stack, options: BenchOptions, run: number) {
  // Both as fresh as the other.
  const start = (limits: 'on' | 'off') =>
    startApi({ env: { ...stack.env, RATE_LIMITS: limits }, log: stack.logOf(`api-limits-${limits}-${run}`) })
  await using limited = await start('on')
  await using unlimited = await start('off')
  const apis = { stack, limited, unlimited }
  const inTurn = await measureInTurn(apis, options.quick ? 1 : PAIRS, `g${run}p`)
  const atOnce = await measureAtOnce(apis, options.quick ? 2 : LOOKS, `g${run}l`)

  const costs = atOnce.map(costPercent).sort((a, b) => a - b)
  const quantile = (share: number) => costs[Math.round(share * (costs.length - 1))] ?? Number.NaN
  const samples = [...inTurn, ...atOnce].flatMap(({ on, off }) => [on, off])
  return {
    ...{ inTurn, atOnce, costs },
    apiUs: {
      on: median(atOnce.map(({ on }) => on.apiUs)),
      off: median(atOnce.map(({ off }) => off.apiUs)),
    },
    costPercent: median(costs),
    costQuartiles: [quantile(0.25), quantile(0.75)] as const,
    slowdownPercent: (median(inTurn.map(({ on, off }) => off.perSecond / on.perSecond)) - 1) * 100,
    failed: samples.reduce((sum, { failed }) => sum + failed, 0),
  }
}

interface Apis {
  stack: Stack
  limited: ApiProcess
  unlimited: ApiProcess
}
type Pair = Record<'on' | 'off', Sample>

/** How fast each is alone. What else the machine does hits both alike. */
async function measureInTurn({ stack, limited, unlimited }: Apis, count: number, tag: string) {
  const pairs: Pair[] = []
  // The first pair warms both up.
  for (let pair = 0; pair <= count; pair += 1) {
    await stack.recorder.reset()
    const measureOn = () => pushes(stack, limited, CALLERS, `${tag}${pair}on`)
    // Neither of them always comes second.
    const early = pair % 2 ? await measureOn() : undefined
    const off = await pushes(stack, unlimited, CALLERS, `${tag}${pair}off`)
    const on = early ?? (await measureOn())
    if (pair > 0) pairs.push({ on, off })
  }
  return pairs
}

/**
 * What a push takes of either API. How many commands share a write, and so what a push costs, changes from second to second by more than
 * what is looked for: only at the same time is it the same for both.
 */
async function measureAtOnce({ stack, limited, unlimited }: Apis, count: number, tag: string) {
  const looks: Pair[] = []
  for (let look = 0; look < count; look += 1) {
    await stack.recorder.reset()
    const [on, off] = await Promise.all([
      pushes(stack, limited, CALLERS / 2, `${tag}${look}on`),
      pushes(stack, unlimited, CALLERS / 2, `${tag}${look}off`),
    ])
    looks.push({ on, off })
  }
  return looks
}

/** Counting is done in the API; what it asks of Redis are a few commands a second, however many pushes there are. */
function costPercent({ on, off }: Pair): number {
  const othersUs = (on.othersMs * 1_000) / (on.measured + off.measured)
  return ((on.apiUs - off.apiUs) / (off.apiUs + othersUs)) * 100
}

interface Sample {
  /** Processor time of the API, per push. */
  apiUs: number
  /** Processor time of worker, Redis and PostgreSQL meanwhile, for whomever they worked. */
  othersMs: number
  measured: number
  perSecond: number
  failed: number
}

async function pushes(stack: Stack, api: ApiProcess, callers: number, tag: string): Promise<Sample> {
  const readings: ProcessorReading[] = []
  const load = await runLoad(
    'closedLoopPushes',
    {
      ...{ port: api.port, licenseKey: stack.tenant.licenseKey, tag, callers },
      warmUpMs: 500,
      measureMs: 2_000,
    },
    async () => void readings.push(await readProcessors({ ...stack, api })),
  )
  const [before, after] = readings
  if (!before || !after) throw new Error('the generator did not say when to read')
  const used = perUnit(before, after, 1)
  const { measured, perSecond, failed } = load
  return {
    apiUs: (used.api * 1_000) / measured,
    othersMs: used.worker + used.redis + used.postgres,
    ...{ measured, perSecond, failed },
  }
}
