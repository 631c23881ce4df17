import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import { clientNetwork } from './client-network.ts'
import { createRecentMap } from './recent-map.ts'

/** Stops an address that asks too often; throws `rate_limited`. */
export type RequestPace = (address: string) => void

export interface RequestPaceDeps {
  clock: Pick<Clock, 'monotonic'>
  perSecond: number
  /** False: nobody is stopped. */
  isOn: boolean
}

/** What one person's app asks for at its start, times what an office of them does. */
const BURST_SECONDS = 2

/** A bucket per address of so many requests a second, and two seconds' worth at once; each node by itself, because it costs nothing then. */
export function createRequestPace({ clock, perSecond, isOn }: RequestPaceDeps): RequestPace {
  const most = perSecond * BURST_SECONDS
  const buckets = createRecentMap<{ left: number; at: number }>(clock, { keepMs: MINUTE, most: 50_000 })
  return (address) => {
    if (!isOn) return
    const network = clientNetwork(address)
    const now = clock.monotonic()
    const bucket = buckets.get(network) ?? { left: most, at: now }
    const left = Math.min(most, bucket.left + ((now - bucket.at) / SECOND) * perSecond)
    buckets.set(network, { left: left < 1 ? left : left - 1, at: now })
    if (left < 1) throw new Problem('rate_limited', { retryAfter: 1 })
  }
}
