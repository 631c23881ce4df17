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
  signals: Pick<Signals, 'claim' | 'put'>
  /** Tells the owner. */
  tell(warning: QuotaWarning): Promise<void>
  clock: Clock
  events: Pick<Events, 'quotaWarning' | 'backgroundError'>
}

const RETRY_MS = 10 * SECOND
/** A node that dies while it tells leaves it to another one after this. */
const TELLING_MS = MINUTE
/** What stands under the key of a warning. */
const TELLING = 'telling'
const TOLD = 'told'

export function createQuotaWarnings({ signals, tell, clock, events }: QuotaWarningsDeps): QuotaWarnings {
  /** When it may be tried again, by the monotonic clock; infinity: it was told, here or by another node. */
  const noted = createRecentMap<number>(clock, { keepMs: 30 * MINUTE, most: 20_000 })

  const tellOnce = async (key: string, warning: QuotaWarning) => {
    const found = await signals.claim(key, TELLING, TELLING_MS)
    if (found === TOLD) noted.set(key, Number.POSITIVE_INFINITY)
    if (found !== undefined) return
    try {
      await tell(warning)
    } catch (error) {
      // An owner who could not be told is told with one of the next pushes, on whatever node.
      await signals.put({ key, value: TELLING, ttlMs: 1 })
      throw error
    }
    events.quotaWarning(warning)
    await signals.put({ key, value: TOLD, ttlMs: warning.resetsAt - clock.now() + HOUR })
    noted.set(key, Number.POSITIVE_INFINITY)
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
