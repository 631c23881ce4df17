import type { PushResult } from '../push/push-result.ts'

/** All that is done to bring one extension's phones to one call. Kept in the signal store, so that any process can go on. */
export interface CallWake {
  /** Derived from tenant, call and extension: the same on every node. */
  id: string
  tenantId: string
  callId: string
  extension: string
  /** Milliseconds since the epoch, as are all times here. */
  startedAt: number
  /** Nothing is sent for the call after this. */
  expiresAt: number
  dnd: boolean
  pushes: readonly CallPush[]
}

export interface CallPush {
  pushId: string
  deviceId: string
  deviceKey: string
  provider: string
  /** On whose account it goes. */
  licenseId?: string
}

/** A SIP contact that a mobile phone has registered. */
export interface MobileRegistration {
  at: number
  contact?: string
  /** The device, when the PBX or the contact names one we know. */
  deviceId?: string
  deviceKey?: string
  /** The contact went away again. */
  gone?: true
}

/** The caller hung up, or a person said no on one of the phones. */
export interface CallEvent {
  kind: 'cancelled' | 'declined'
  at: number
}

export const OUTCOMES = [
  'registered',
  'declined',
  'no_device',
  'dnd',
  'unreachable',
  'timeout',
  'cancelled',
] as const
export type CallOutcome = (typeof OUTCOMES)[number]

export interface CallState {
  registrations: readonly MobileRegistration[]
  results: readonly PushResult[]
  event?: CallEvent
}

/** Clocks of two hosts may differ, and a phone may register while the PBX still types the request (RFC 8599 section 5.3). */
const CLOCK_TOLERANCE_MS = 1_000

/** Contacts that the call may be sent to: of phones that registered because of it, not before it. */
export const freshContacts = (
  call: CallWake,
  registrations: readonly MobileRegistration[],
): MobileRegistration[] =>
  registrations.filter(({ at, gone }) => !gone && at >= call.startedAt - CLOCK_TOLERANCE_MS)

/** What can be said about the call now; undefined: keep waiting. The order is that of what the caller should hear. */
export function outcomeOf(call: CallWake, state: CallState): Exclude<CallOutcome, 'timeout'> | undefined {
  if (state.event) return state.event.kind
  if (freshContacts(call, state.registrations).length > 0) return 'registered'
  if (call.dnd) return 'dnd'
  if (call.pushes.length === 0) return 'no_device'
  const results = new Map(state.results.map((result) => [result.id, result]))
  const isRefused = ({ pushId }: { pushId: string }) => {
    const result = results.get(pushId)
    return result !== undefined && result.state !== 'delivered' && !result.uncertain
  }
  return call.pushes.every(isRefused) ? 'unreachable' : undefined
}
