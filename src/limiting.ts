import type { Config } from './config/config.ts'
import type { Clock } from './lib/clock.ts'
import { newId } from './lib/ids.ts'
import type { Releaser } from './lib/releaser.ts'
import { createLicenseEventStore } from './license/license-event-store.ts'
import { createUsageRecorder } from './license/usage-recorder.ts'
import { createUsageStore } from './license/usage-store.ts'
import { createAddressGuard } from './limits/address-guard.ts'
import { createAllowances } from './limits/allowance.ts'
import type { Counters } from './limits/counters.ts'
import { createPushAllowances } from './limits/push-allowances.ts'
import { createQuotaWarnings, type QuotaWarning } from './limits/quota-warnings.ts'
import { createRateLimits } from './limits/rate-limits.ts'
import { createRequestPace } from './limits/request-pace.ts'
import type { Events } from './observability/events.ts'
import type { Signals } from './signals/signals.ts'
import type { Webhooks } from './webhooks/webhooks.ts'

interface LimitingDeps {
  db: Parameters<typeof createUsageStore>[0]
  config: Config
  clock: Clock
  events: Events
  signals: Signals
  counters: Counters
  announce: Webhooks['announce']
}

/** Wires what keeps one caller from hurting another, and what is counted of them. */
export function createLimiting(core: LimitingDeps, releaser: Releaser) {
  const { db, config, clock, events, signals, counters } = core
  const isOn = config.rateLimits
  const allowances = createAllowances({ counters, clock })
  const usageStore = createUsageStore(db)
  const usage = releaser.add(
    createUsageRecorder({
      usageStore,
      clock,
      onError: (error) => events.backgroundError('license-usage', error),
    }),
    (open) => open.close(),
  )
  const warnings = createQuotaWarnings({ signals, tell: createTellOwner(core), clock, events })
  return {
    allowances,
    usageStore,
    usage,
    appPace: createRequestPace({ clock, perSecond: config.appRequestsPerSecond, isOn }),
    addressGuard: createAddressGuard({ counters, clock, events, isOn }),
    pushAllowances: createPushAllowances({ allowances, usage, warnings, clock, events, isOn }),
    // Of their own, because there are far more tokens than licences: they must not crowd those out.
    ...createRateLimits({ allowances: createAllowances({ counters, clock }), clock, isOn }),
  }
}

/** In the audit of the licence, and by webhook. */
function createTellOwner({ db, clock, announce }: LimitingDeps) {
  const licenseEvents = createLicenseEventStore(db)
  return async ({ licenseId, tenantId, lane, used, limit, resetsAt }: QuotaWarning): Promise<void> => {
    const said = { lane, used, limit, resets_at: new Date(resetsAt).toISOString() }
    await announce(tenantId, { type: 'license.quota_warning', data: { license_id: licenseId, ...said } })
    await licenseEvents.insert({
      id: newId(),
      licenseId,
      at: clock.now(),
      action: 'quota_warning',
      actor: 'system',
      details: said,
    })
  }
}
