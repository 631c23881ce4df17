import type { WebSocket } from 'ws'
import type { AppTokenHolder } from '../../http/app-caller.ts'
import type { ChatEvent } from '../chat.ts'

/** Frames that a client may send at once; 50 more in each second. Nobody types, reads or acknowledges faster. */
export const BURST = 100
export const FRAMES_PER_SECOND = 50

/** One open socket. Plain data, because there are ten thousands of them; who changes what is said at each group. */
export interface Connection {
  readonly ws: WebSocket
  /** Who it is; `auth` and the look at the sessions renew it. */
  holder: AppTokenHolder
  isOpen: boolean
  /** It was told where its stream begins, which is the first that it is told. */
  isReady: boolean

  // Of the event stream.
  /** The number of the last event that was sent. */
  cursor: number
  /** All events after this one were sent, or will be. */
  start: number
  /** The number of the newest event that is known of. */
  known: number
  /** Some of the events that are to be sent, one after the other without a gap: they need not be read. */
  atHand: ChatEvent[] | undefined
  /** Nothing is sent yet: the client may still say from where on. */
  isHeld: boolean
  isReading: boolean
  mustRead: boolean
  /** Monotonic: the client has not taken what it was sent since. */
  pausedAt: number | undefined

  // Of the frames that come in.
  /** What a client asks for is done in its order. */
  turn: Promise<void>
  inHand: number
  brokenFrames: number
  /** Frames it may send now, as of `countedAt`. */
  allowance: number
  countedAt: number
  ack: { seq: number; done: Promise<void> } | undefined
  lastAck: Promise<void>
  /** When it told last that somebody types, by conversation. */
  typing: Map<string, { at: number; isTyping: boolean }> | undefined

  // Of the watch over it.
  missedPongs: number
  pingedAt: number
  isExpiryTold: boolean
  /** Of the phone that its session belongs to, as far as that is known. */
  deviceId: string | undefined
  /** Wall time: its app was before somebody's eyes. */
  attentiveAt: number | undefined
  /** It has said whose presence it wants to be told. */
  isSubscribed: boolean
  /** Whose presence it is told. */
  watching: readonly number[]
}

export const newConnection = (ws: WebSocket, holder: AppTokenHolder, now: number): Connection => ({
  ws,
  holder,
  isOpen: true,
  isReady: false,
  cursor: 0,
  start: 0,
  known: 0,
  atHand: undefined,
  isHeld: true,
  isReading: false,
  mustRead: false,
  pausedAt: undefined,
  turn: Promise.resolve(),
  inHand: 0,
  brokenFrames: 0,
  allowance: BURST,
  countedAt: now,
  ack: undefined,
  lastAck: Promise.resolve(),
  typing: undefined,
  missedPongs: 0,
  pingedAt: now,
  isExpiryTold: false,
  deviceId: undefined,
  attentiveAt: undefined,
  isSubscribed: false,
  watching: [],
})
