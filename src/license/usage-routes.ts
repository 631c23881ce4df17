import { z } from 'zod'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { DAY } from '../lib/units.ts'
import type { LaneStanding, PushAllowances } from '../limits/push-allowances.ts'
import { dayOf } from '../limits/push-limits.ts'
import { isNearQuota } from '../limits/rate-limit-headers.ts'
import type { LicenseLimit } from '../limits/rate-limits.ts'
import type { Lane } from '../push/push-kinds.ts'
import type { KeyedLicense } from './license.ts'
import { fromStore } from './license-refusal.ts'
import type { LicenseUsageRecorder } from './usage-recorder.ts'
import type { InUse, UsageDay, UsageStore } from './usage-store.ts'

export interface UsageRouteDeps {
  /** Who looks at the usage is no sign of life of a machine. */
  seatAuth: AuthScheme<KeyedLicense>
  pushAllowances: PushAllowances
  licenseReads: LicenseLimit
  usage: Pick<LicenseUsageRecorder, 'flush'>
  usageStore: UsageStore
  clock: Clock
}

export const usageRoutes = (deps: UsageRouteDeps): Route[] => [readUsage(deps)]

const HISTORY_DAYS = 30
const LANES = ['calls', 'messages'] as const satisfies Lane[]

const LaneUsage = z
  .object({
    used: z
      .int()
      .describe(
        'Today, over all nodes: what the limits of the licence let pass, also when something else refused it then.',
      ),
    refused: z
      .int()
      .describe('Today: what the limits of the licence did not let pass. Written down every few seconds.'),
    limit: z.int(),
    remaining: z.int(),
    resets_at: z.string().describe('The next midnight UTC.'),
    burst: z.object({
      limit: z.int(),
      seconds: z.int().describe('The window, which begins with its first push.'),
    }),
  })
  .meta({ id: 'LaneUsage' })

const Usage = z
  .object({
    calls: LaneUsage.describe('Pushes of kind `call`; `cancel` is free.'),
    messages: LaneUsage.describe('Pushes of all other kinds.'),
    extensions: z.object({ used: z.int().describe('Of the tenant.'), limit: z.int() }),
    installations: z.object({ used: z.int(), limit: z.int().optional().describe('Absent: any number.') }),
    warnings: z.array(
      z.object({
        code: z.literal('QUOTA_80'),
        lane: z.enum(LANES),
        text: z.string(),
      }),
    ),
    history: z
      .array(
        z.object({
          day: z.iso.date(),
          calls: z.int(),
          messages: z.int(),
          refused_calls: z.int(),
          refused_messages: z.int(),
        }),
      )
      .describe(`The last ${HISTORY_DAYS} UTC days with a push, today included, the latest first.`),
  })
  .meta({ id: 'LicenseUsage' })

const readUsage = (deps: UsageRouteDeps): Route =>
  route({
    method: 'get',
    path: '/v1/license/usage',
    tag: 'Licences',
    summary: 'What a licence has used, and what is left',
    description: 'docs/limits.md says what is limited and why.',
    auth: deps.seatAuth,
    replies: [{ status: 200, description: 'Today and the days before.', schema: Usage }],
    problems: ['license_key_required', 'license_invalid', 'rate_limited', 'store_unavailable'],
    async handler({ caller }) {
      await deps.licenseReads.take(caller)
      return { data: await fromStore(usageOf(deps, caller)) }
    },
  })

async function usageOf(
  { pushAllowances, usage, usageStore, clock }: UsageRouteDeps,
  license: KeyedLicense,
): Promise<z.input<typeof Usage>> {
  await usage.flush()
  const now = clock.now()
  const [history, inUse, calls, messages] = await Promise.all([
    usageStore.list(license.id, dayOf(now - (HISTORY_DAYS - 1) * DAY)),
    usageStore.inUse(license),
    pushAllowances.standing(license, 'calls'),
    pushAllowances.standing(license, 'messages'),
  ])
  const today = history.find(({ day }) => day === dayOf(now))
  const lanes = {
    calls: laneUsage(calls, today?.calls, today?.refusedCalls),
    messages: laneUsage(messages, today?.messages, today?.refusedMessages),
  }
  const warnings = LANES.filter((lane) => isNearQuota(lanes[lane])).map((lane) => ({
    code: 'QUOTA_80' as const,
    lane,
    text: `${lanes[lane].used} of ${lanes[lane].limit} ${lane} of today are used`,
  }))
  return { ...lanes, ...describeInUse(license, inUse), warnings, history: history.map(describeDay) }
}

/** The counters know at once what the table hears of later, and forget what it keeps: the higher number is the better one. */
function laneUsage({ burst, day }: LaneStanding, written = 0, refused = 0): z.input<typeof LaneUsage> {
  const used = Math.max(day.used, written)
  return {
    used,
    refused,
    limit: day.limit,
    remaining: Math.max(0, day.limit - used),
    resets_at: new Date(day.resetsAt).toISOString(),
    burst,
  }
}

const describeInUse = ({ maxExtensions, maxInstallations }: KeyedLicense, inUse: InUse) => ({
  extensions: { used: inUse.extensions, limit: maxExtensions },
  installations: {
    used: inUse.installations,
    ...(maxInstallations !== undefined && { limit: maxInstallations }),
  },
})

const describeDay = (usage: UsageDay) => ({
  day: usage.day,
  calls: usage.calls,
  messages: usage.messages,
  refused_calls: usage.refusedCalls,
  refused_messages: usage.refusedMessages,
})
