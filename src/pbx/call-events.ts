import type { Clock } from '../lib/clock.ts'
import { type CallOutcome, type CallWake, freshContacts, type MobileRegistration } from './call-wake.ts'
import type { CallWatch, CallWatches } from './call-watch.ts'

/** What a PBX that forks late wants to hear: each phone as it becomes ready, and the end. */
export type CallNews =
  | { event: 'device_ready'; contact: MobileRegistration }
  | { event: 'ended'; outcome: CallOutcome }

export interface CallEventDeps {
  watches: CallWatches
  clock: Clock
  /** Aborts when the process must stop waiting; the PBX then asks another node. */
  stopping: AbortSignal
}

/**
 * Tells each phone of a call once, as soon as it has registered, until the call is over: other phones may wake up after the
 * first one, and the PBX can ring them, too. A phone that registers again with another contact is told again.
 */
export function createCallEvents({ watches, clock, stopping }: CallEventDeps) {
  return async function* callEvents(call: CallWake, signal: AbortSignal): AsyncGenerator<CallNews> {
    const alive = Math.max(0, call.expiresAt - clock.now())
    const watch = watches.open(call, clock.monotonic() + alive, signal)
    const told = new Set<string>()
    try {
      await watch.begin()
      for (;;) {
        // Asked for before looking at the state, so that what happens in between is not slept over.
        const next = watch.next()
        for (const contact of freshContacts(call, watch.state().registrations)) {
          const key = `${contact.deviceId ?? ''} ${contact.contact ?? ''}`
          if (!told.has(key)) yield { event: 'device_ready', contact }
          told.add(key)
        }
        if (signal.aborted || stopping.aborted) return
        const outcome = endOf(watch, told.size > 0)
        if (outcome) return yield { event: 'ended', outcome }
        await next
      }
    } finally {
      watch.close()
    }
  }
}
export type CallEvents = ReturnType<typeof createCallEvents>

/** With a phone at hand the call goes on until its time is up: the others may still come. */
function endOf(watch: CallWatch, hasPhone: boolean): CallOutcome | undefined {
  const outcome = watch.outcome()
  if (outcome && outcome !== 'registered') return outcome
  if (watch.isOver()) return hasPhone ? 'registered' : 'timeout'
  return undefined
}
