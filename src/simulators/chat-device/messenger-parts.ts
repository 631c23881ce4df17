import type { Clock } from '../../lib/clock.ts'
import { type AppApi, type PhoneDescription, Refused } from './app-api.ts'
import type { AppSocket } from './app-socket.ts'
import type { DeviceTimeline } from './device-timeline.ts'
import type { MessageStore } from './message-store.ts'
import type { NotificationCenter } from './notification-center.ts'
import { NetworkFailure, type PhoneNetwork } from './phone-network.ts'

/** What is in the keychain. */
export interface Session {
  token: string
  extension: string
  /** Wakeline's id of this phone. */
  phoneId: string
}

/** What outlives the process. */
export interface Disk {
  session?: Session | undefined
  /** Everything up to here is in the store. */
  cursor?: { value: string; seq: number } | undefined
  /** How far each conversation has been read. */
  readSeq: Map<string, number>
}

/** What goes with the process. */
export interface Memory {
  isForeground: boolean
  /** The conversation that is on the screen. */
  screen?: string | undefined
  socket?: AppSocket | undefined
}

export interface MessengerParts {
  url: string
  /** Its token may change. */
  phone: PhoneDescription
  /** Before the first unlocking after a start nobody can read the keychain. */
  lock: { hasBeenUnlocked: boolean }
  api: AppApi
  network: PhoneNetwork
  timeline: DeviceTimeline
  center: NotificationCenter
  store: MessageStore
  disk: Disk
  memory: Memory
  clock: Clock
  /** Told of what must never happen: an answer that is not as documented. */
  onError(error: Error): void
}

/** Does something that needs a session. What may go wrong in the field is noted, and there is no result then. */
export async function attempt<T>(
  parts: MessengerParts,
  what: string,
  work: (session: Session) => Promise<T>,
): Promise<T | undefined> {
  const { disk, lock, timeline } = parts
  const fail = (reason: string) => {
    timeline.note({ did: 'fail', what, reason })
    return undefined
  }
  if (!lock.hasBeenUnlocked) return fail('the keychain is locked')
  const { session } = disk
  if (!session) return fail('nobody is logged in')
  try {
    return await work(session)
  } catch (error) {
    if (error instanceof NetworkFailure) return fail(error.message)
    if (!(error instanceof Refused)) throw error
    // The app forgets everything that it knows; the person may have logged in again meanwhile.
    if (error.status === 401 && disk.session === session) forget(parts, 'ended')
    return fail(error.code)
  }
}

/** Nothing of the person who was logged in stays on the phone. */
export function forget(parts: MessengerParts, change: 'logged out' | 'ended'): void {
  const { disk, memory, store, center, timeline } = parts
  const extension = disk.session?.extension
  disk.session = undefined
  disk.cursor = undefined
  disk.readSeq.clear()
  store.wipe()
  center.clear()
  center.setBadge(0)
  memory.screen = undefined
  memory.socket?.close()
  memory.socket = undefined
  if (extension !== undefined) timeline.note({ did: 'session', extension, change })
}
