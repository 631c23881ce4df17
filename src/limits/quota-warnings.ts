import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { HOUR, MINUTE, SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Lane } from '../push/push-kinds.ts'
import type { Signals } from '../signals/signals.ts'
import { dayOf, endOfDay, type Licensed } from './push-limits.ts'
import { isNearQuota } from './rate-limit-headers.ts'
import { createRecentMap } from './recent-map.ts'
import type { Grant } from './shared-count.ts'

/** A licence has used 80 % of what a lane may have in a day. */
export interface QuotaWarning {
  licenseId: string
  tenantId: string
  lane: Lane
  used: number
  limit: number
  /** Milliseconds since the epoch. */
  resetsAt: number
}

export interface QuotaWarnings {
  /** Tells of it once a day and lane, whatever node it happens on. */
  note(licensed: Licensed, lane: Lane, day: Pick<Grant, 'used' | 'limit'>): void
}

export interface QuotaWarningsDeps {
  signals: Pick<Signals, 'claim'>
  /** Tells the owner. */
  tell(warning: QuotaWarning): Promise<void>
  clock: Clock
  events: Pick<Events, 'quotaWarning' | 'backgroundError'>
}

const RETRY_MS = 10 * SECOND

export function createQuotaWarnings({ signals, tell, clock, events }: QuotaWarningsDeps): QuotaWarnings {
  /** When it may be tried again, by the monotonic clock; infinity: it was told, here or by another node. */
  const noted = createRecentMap<number>(clock, { keepMs: 30 * MINUTE, most: 20_000 })

  const tellOnce = async (key: string, warning: QuotaWarning) => {
    const ttlMs = warning.resetsAt - clock.now() + HOUR
    const first = await signals.claim(key, '1', ttlMs)
    noted.set(key, Number.POSITIVE_INFINITY)
    if (first !== undefined) return
    events.quotaWarning(warning)
    await tell(warning)
  }

  return {
    note({ id, tenantId }, lane, day) {
      if (!isNearQuota(day)) return
      const now = clock.now()
      const key = `quota-80.${id}.${lane}.${dayOf(now)}`
      if (clock.monotonic() < (noted.get(key) ?? 0)) return
      noted.set(key, clock.monotonic() + RETRY_MS)
      const { used, limit } = day
      const warning = { licenseId: id, tenantId, lane, used, limit, resetsAt: endOfDay(now) }
      tellOnce(key, warning).catch((error: unknown) => {
        events.backgroundError('quota-warnings', toError(error))
      })
    },
  }
}
