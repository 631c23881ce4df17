import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '../lib/clock.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import { createDelays } from './delays.ts'
import type { AcceptedPush, PushSource } from './push-listeners.ts'
import { type PhoneApi, registerPhone } from './register-phone.ts'

export type PhonePlatform = 'apns' | 'fcm'

export interface PhoneBehaviour {
  /** Milliseconds between the push and the registration; 0 starts it in the tick in which the push arrives. */
  registersAfterMs: number | 'never'
  /** The user refuses the call: the phone rings and does not register. */
  declines?: boolean
}

export interface SimulatedPhoneOptions {
  platform: PhonePlatform
  token: string
  behaviour: PhoneBehaviour
  api: PhoneApi
  /** Told about every registration that failed. */
  onError(error: Error): void
  /** Told when the user refuses a call. */
  onDecline?(ring: Ring): void
  clock?: Clock
}

export interface Ring {
  /** What CallKit would know the call by. */
  callUuid: string
  /** Milliseconds since the epoch. */
  at: number
  callerId: string
}

export interface PhoneRegistration {
  callUuid: string
  /** When the answer was there: milliseconds since the epoch. */
  at: number
  /** HTTP status of the answer; 0 when there was none. */
  status: number
}

/** How many rings and registrations a phone remembers: it may live as long as the process. */
const REMEMBERED = 1_000
/** A registration that takes longer has missed its call. */
const REGISTRATION_TIMEOUT = 10 * SECOND
/** Until then a second push of the same call is a duplicate. */
const CALL_LIFETIME = 10 * MINUTE

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export type SimulatedPhone = ReturnType<typeof createSimulatedPhone>

/**
 * A phone with the app: it listens for its token's pushes, rings once per call, and registers at Wakeline as the app does through
 * the PBX.
 */
export function createSimulatedPhone(options: SimulatedPhoneOptions, source: PushSource) {
  const { platform, token, behaviour, api, onError, clock = systemClock } = options
  const rang: Ring[] = []
  const registrations: PhoneRegistration[] = []
  const errors: { at: number; message: string }[] = []
  const callsSeen = new Map<string, number>()
  const delays = createDelays()
  const switchedOff = new AbortController()
  let duplicates = 0

  const unsubscribe = source.onAccepted((push) => {
    const ring = ringOf(platform, push, clock)
    if (!ring) return
    if (isDuplicate(callsSeen, ring)) {
      duplicates += 1
      return
    }
    remember(rang, ring)
    const { registersAfterMs, declines } = behaviour
    if (declines) options.onDecline?.(ring)
    else if (registersAfterMs !== 'never') {
      delays.run(registersAfterMs === 0 ? undefined : registersAfterMs, () => void register(ring.callUuid))
    }
  }, token)

  async function register(callUuid: string): Promise<void> {
    const signal = AbortSignal.any([switchedOff.signal, AbortSignal.timeout(REGISTRATION_TIMEOUT)])
    const { status, error } = await registerPhone(api, { platform, token }, signal)
    if (switchedOff.signal.aborted) return
    remember(registrations, { callUuid, at: clock.now(), status })
    if (!error) return
    remember(errors, { at: clock.now(), message: error.message })
    onError(error)
  }

  const close = () => {
    unsubscribe()
    delays.stop()
    switchedOff.abort()
  }
  return {
    platform,
    token,
    /** Calls it rang for, each once, oldest first. */
    rang: rang as readonly Ring[],
    /** Every try, oldest first. */
    registrations: registrations as readonly PhoneRegistration[],
    errors: errors as readonly { at: number; message: string }[],
    /** Pushes for a call that it had already rung for. */
    get duplicates() {
      return duplicates
    },
    /** Switches the phone off: it neither rings nor registers any more. */
    close,
    [Symbol.dispose]: close,
  }
}

/** What the app makes of a push; `undefined` for one that does not ring. */
function ringOf(platform: PhonePlatform, push: AcceptedPush, clock: Clock): Ring | undefined {
  const { type, call_id: callId, caller_id: callerId } = push.payload
  // iOS reports every VoIP push as a call; on Android the app looks at the type.
  const rings = platform === 'apns' ? push.topic?.endsWith('.voip') === true : type === 'incoming_call'
  if (!rings) return undefined
  // As in the app: what does not parse as a UUID gets a new one, and then a repetition cannot be seen.
  const callUuid = typeof callId === 'string' && UUID.test(callId) ? callId.toLowerCase() : randomUUID()
  return { callUuid, at: clock.now(), callerId: typeof callerId === 'string' ? callerId : 'Unknown' }
}

function isDuplicate(callsSeen: Map<string, number>, { callUuid, at }: Ring): boolean {
  for (const [call, since] of callsSeen) {
    if (at - since < CALL_LIFETIME) break
    callsSeen.delete(call)
  }
  if (callsSeen.has(callUuid)) return true
  callsSeen.set(callUuid, at)
  return false
}

function remember<T>(list: T[], item: T): void {
  if (list.length >= REMEMBERED) list.shift()
  list.push(item)
}
