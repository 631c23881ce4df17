import { type Clock, systemClock } from '../../lib/clock.ts'
import { toError } from '../../lib/error.ts'
import { SECOND } from '../../lib/units.ts'
import type { AcceptedPush, PushSource } from '../push-listeners.ts'
import { createAppApi, type PhoneDescription } from './app-api.ts'
import { type AppState, createDeviceTimeline } from './device-timeline.ts'
import { createMessageStore } from './message-store.ts'
import type { MessengerParts } from './messenger-parts.ts'
import { createNotificationCenter, type ShownNotification } from './notification-center.ts'
import { createPhoneNetwork, type NetworkCondition } from './phone-network.ts'

/** The connection of a phone to its vendor: what a simulator of Apple or Google is. */
export interface PushLine<P extends AcceptedPush> extends PushSource<P> {
  /** The vendor does not reach the phone any more, and keeps what it keeps; it reaches it again. Absent: it always does. */
  loses?(token: string): void
  regains?(token: string): void
}

export interface ChatPhoneOptions<P extends AcceptedPush> {
  /** `http://host:port` of Wakeline. */
  url: string
  line: PushLine<P>
  deviceId: string
  token: string
  /** Milliseconds that the system gives the app, or a service extension, for a push. */
  momentMs?: number
  clock?: Clock
  /** Told of what must never happen. */
  onError(error: Error): void
}

/** What the system does with the app. */
export interface PhoneOs {
  state: AppState
  momentMs: number
  become(state: AppState, why: string): void
}
export interface PhoneParts extends MessengerParts {
  os: PhoneOs
}

/** About 30 seconds: https://developer.apple.com/documentation/usernotifications/pushing-background-updates-to-your-app */
const MOMENT = 30 * SECOND

export function createPhoneParts<P extends AcceptedPush>(
  options: ChatPhoneOptions<P>,
  platform: PhoneDescription['platform'],
): PhoneParts {
  const { url, deviceId, token, momentMs = MOMENT, clock = systemClock, onError } = options
  const timeline = createDeviceTimeline(clock)
  const network = createPhoneNetwork(timeline)
  const os: PhoneOs = {
    state: 'terminated',
    momentMs,
    become(state, why) {
      os.state = state
      timeline.note({ did: 'state', state, why })
    },
  }
  return {
    ...{ url, os, timeline, network, clock, onError },
    phone: { deviceId, platform, token },
    lock: { hasBeenUnlocked: true },
    api: createAppApi(url, network),
    center: createNotificationCenter(timeline),
    store: createMessageStore(),
    disk: { readSeq: new Map() },
    memory: { isForeground: false },
  }
}

/** Takes the pushes for a phone, one after the other, as long as the vendor reaches it. */
export function listenForPushes<P extends AcceptedPush>(
  { phone, onError }: PhoneParts,
  line: PushLine<P>,
  take: (push: P) => Promise<void>,
) {
  let work = Promise.resolve()
  const listen = () =>
    line.onAccepted((push) => {
      work = work.then(() => take(push)).catch((error: unknown) => onError(toError(error)))
    }, phone.token)
  let stop = listen()
  return {
    /** Everything that has arrived is dealt with. */
    settled: (): Promise<void> => work,
    stop: () => stop(),
    /** From now on the phone has this token. */
    changesToken(token: string): void {
      stop()
      phone.token = token
      stop = listen()
    },
  }
}

/** What a person or the weather does to a phone, whichever it is. */
export const createSurroundings = <P extends AcceptedPush>(
  { network, phone, center, lock, os, timeline }: PhoneParts,
  line: PushLine<P>,
) => ({
  network(condition: NetworkCondition): void {
    network.becomes(condition)
    if (condition === 'none') line.loses?.(phone.token)
    else line.regains?.(phone.token)
  },
  allowNotifications: (allowed: boolean): void => center.allow(allowed),
  /** For the first time since the phone was started. */
  unlock(): void {
    if (lock.hasBeenUnlocked) return
    lock.hasBeenUnlocked = true
    timeline.note({ did: 'state', state: os.state, why: 'the phone was unlocked' })
  },
})

/** What one sees who looks at the phone, or into it. */
export const lookAt = (parts: PhoneParts) => ({
  timeline: parts.timeline,
  get state() {
    return parts.os.state
  },
  get token() {
    return parts.phone.token
  },
  get deviceId() {
    return parts.phone.deviceId
  },
  get phoneId() {
    return parts.disk.session?.phoneId
  },
  get sessionToken() {
    return parts.disk.session?.token
  },
  get badge() {
    return parts.center.badge
  },
  get notifications(): readonly ShownNotification[] {
    return parts.center.shown
  },
  /** The conversation on the screen. */
  get screen() {
    return parts.memory.screen
  },
  get isConnected() {
    return parts.memory.socket?.isOpen() === true
  },
  messages: parts.store.of,
  store: parts.store,
})
