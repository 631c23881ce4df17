import { createHash } from 'node:crypto'
import { HOUR, MINUTE } from '../lib/units.ts'
import type { Outcomes } from '../push/outcomes.ts'
import type { PushResult } from '../push/push-result.ts'
import type { Signals, Subscription } from '../signals/signals.ts'
import type { CallEvent, CallState, CallWake, MobileRegistration } from './call-wake.ts'

/** A PBX may ask for a call after it is over. */
const CALL_MS = 5 * MINUTE
/** Longer than any registration we would count: only those of the call's own time do. */
const REGISTRATION_MS = HOUR

/** Tenant and extension as one short word: an extension may hold any character. */
const place = (tenantId: string, extension: string) =>
  createHash('sha256').update(`${tenantId}\n${extension}`).digest('base64url').slice(0, 22)
const callKey = (id: string) => `call.${id}`
const eventKey = (id: string) => `call-event.${id}`
const registrationKey = (where: string, deviceId: string) => `registration.${where}.${deviceId}`
/** The latest of the extension, for a phone that the call did not know. */
const ANY = 'any'

/** Everything about calls that outlives a process, and the channels on which it is told. */
export function createCallSignals(signals: Signals, outcomes: Outcomes) {
  return {
    /** Channel for results of pushes and for what happens to the call. */
    channelOf: (callId: string): string => `call.${callId}`,

    /** Stores the call unless it is known already; returns what is stored. */
    async start(call: CallWake): Promise<CallWake> {
      const existing = await signals.claim(callKey(call.id), JSON.stringify(call), CALL_MS)
      return existing ? (JSON.parse(existing) as CallWake) : call
    },

    async find(id: string): Promise<CallWake | undefined> {
      const [value] = await signals.get([callKey(id)])
      return value === undefined ? undefined : (JSON.parse(value) as CallWake)
    },

    /** The first event of a call is the one that counts. Returns the event that does. */
    async end(id: string, event: CallEvent): Promise<CallEvent> {
      const first = await signals.claim(eventKey(id), JSON.stringify(event), CALL_MS)
      if (first) return JSON.parse(first) as CallEvent
      await signals.put({
        key: eventKey(id),
        value: JSON.stringify(event),
        ttlMs: CALL_MS,
        channel: `call.${id}`,
      })
      return event
    },

    async register(tenantId: string, extension: string, registration: MobileRegistration): Promise<void> {
      const where = place(tenantId, extension)
      const value = JSON.stringify(registration)
      const keys = [
        registration.deviceId ?? ANY,
        ...(registration.deviceId && !registration.gone ? [ANY] : []),
      ]
      await Promise.all(
        keys.map((name) =>
          signals.put({
            key: registrationKey(where, name),
            value,
            ttlMs: REGISTRATION_MS,
            // One message is enough, and it comes after the key that the listener's poll would read.
            ...(name === keys[0] && { channel: `registration.${where}` }),
          }),
        ),
      )
    },

    /** What is known about the call now. */
    async read(call: CallWake): Promise<CallState> {
      const where = place(call.tenantId, call.extension)
      const devices = [...call.pushes.map(({ deviceId }) => deviceId), ANY]
      const [results, [event, ...registrations]] = await Promise.all([
        outcomes.find(call.pushes.map(({ pushId }) => pushId)),
        signals.get([eventKey(call.id), ...devices.map((id) => registrationKey(where, id))]),
      ])
      const found = registrations.filter((value) => value !== undefined)
      return {
        results,
        registrations: unique(found.map((value) => JSON.parse(value) as MobileRegistration)),
        ...(event !== undefined && { event: JSON.parse(event) as CallEvent }),
      }
    },

    /** Calls `onNews` with whatever a message says about the call. */
    follow(call: CallWake, onNews: (news: Partial<CallState>) => void): Subscription {
      const own = signals.subscribe(`call.${call.id}`, (key, value) => {
        if (key === eventKey(call.id)) {
          const [event] = parsed<CallEvent>(value)
          onNews(event ? { event } : {})
        } else onNews({ results: parsed<PushResult>(value) })
      })
      const extension = signals.subscribe(
        `registration.${place(call.tenantId, call.extension)}`,
        (_key, value) => onNews({ registrations: parsed<MobileRegistration>(value) }),
      )
      return {
        ready: Promise.all([own.ready, extension.ready]).then(() => undefined),
        close() {
          own.close()
          extension.close()
        },
      }
    },
  }
}
export type CallSignals = ReturnType<typeof createCallSignals>

/** A message too large to carry its value says nothing; the next look at the store does. */
const parsed = <T>(value: string | undefined): T[] => (value === undefined ? [] : [JSON.parse(value) as T])

/** A phone's own entry and the extension's latest may be the same registration. */
function unique(registrations: MobileRegistration[]): MobileRegistration[] {
  return [
    ...new Map(registrations.map((r) => [`${r.deviceId ?? ''} ${r.contact ?? ''} ${r.at}`, r])).values(),
  ]
}
