import { setTimeout as delay } from 'node:timers/promises'
import type { DeviceTimeline } from './device-timeline.ts'

/**
 * `none`: requests fail, and the phone has no connection to its vendor. `answers lost`: requests arrive and their answers do not.
 * `slowMs`: each request takes so much longer.
 */
export type NetworkCondition = 'good' | 'none' | 'answers lost' | { slowMs: number }

/** The request did not get through, or nobody knows. */
export class NetworkFailure extends Error {
  override readonly name = 'NetworkFailure'
}

export type PhoneNetwork = ReturnType<typeof createPhoneNetwork>

/** A phone's way into the internet. */
export function createPhoneNetwork(timeline: DeviceTimeline) {
  const listeners = new Set<(isUp: boolean) => void>()
  let condition: NetworkCondition = 'good'
  /** Of what is under way, when the network goes. */
  let breaking = new AbortController()

  return {
    get isUp() {
      return condition !== 'none'
    },
    becomes(next: NetworkCondition): void {
      const wasUp = condition !== 'none'
      condition = next
      timeline.note({ did: 'network', condition: describe(next) })
      if (next === 'none') {
        breaking.abort(new NetworkFailure('the network is gone'))
        breaking = new AbortController()
      }
      const isUp = next !== 'none'
      if (isUp !== wasUp) for (const listener of listeners) listener(isUp)
    },
    onChange(listener: (isUp: boolean) => void): void {
      listeners.add(listener)
    },
    /** As `fetch`, over this network. */
    async fetch(url: URL, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
      if (condition === 'none') throw new NetworkFailure('there is no network')
      const signal = AbortSignal.any([breaking.signal, init.signal])
      const now = condition
      if (typeof now === 'object') await delay(now.slowMs, undefined, { signal }).catch(failWith(signal))
      const response = await fetch(url, { ...init, signal }).catch(failWith(signal))
      if (now !== 'answers lost') return response
      await response.arrayBuffer()
      throw new NetworkFailure('the answer got lost')
    },
  }
}

const describe = (condition: NetworkCondition): string =>
  typeof condition === 'string' ? condition : `slow by ${condition.slowMs} ms`

const failWith =
  (signal: AbortSignal) =>
  (cause: unknown): never => {
    if (signal.reason instanceof NetworkFailure) throw signal.reason
    throw new NetworkFailure(signal.aborted ? 'it took too long' : 'it did not get through', { cause })
  }
