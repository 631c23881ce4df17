import type { KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http2'
import type { Clock } from '../lib/clock.ts'
import type { AcceptedPush } from './push-listeners.ts'

/** Apple runs two gateways, and a device token is known to one of them only. */
export type ApnsEnvironment = 'production' | 'sandbox'

/** What a developer account at Apple knows: a signing key of a team and the apps of that team. */
export interface ApnsAccount {
  /** Ten characters; the `kid` of a provider token. */
  keyId: string
  /** Ten characters; the `iss` of a provider token. */
  teamId: string
  publicKey: KeyObject
  bundleIds: readonly string[]
}

/** `status` 0 means that no answer was given, and `reason` says why. */
export interface ApnsVerdict {
  status: number
  /** Apple's word: https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns */
  reason?: string
}

export interface ApnsReceived extends AcceptedPush {
  /** Milliseconds on the simulator's monotonic clock, when the headers had arrived. */
  receivedAtMonotonic: number
  /** The one from the request, or the one that was minted. */
  apnsId: string
  topic: string
  headers: IncomingHttpHeaders
  verdict: ApnsVerdict
  /** What Apple may refuse, delay or drop without saying which: the payload is not what the push type promises. */
  mismatch?: string
  /** Counts connections from 1. */
  sessionId: number
}

export type ApnsAnswer =
  | {
      status: number
      reason?: string
      /** Milliseconds since the epoch; Apple sends it with 410. */
      timestamp?: number
      headers?: Readonly<Record<string, string>>
      /** In place of what belongs to the status, byte for byte. */
      body?: string
      /** Milliseconds to wait before the answer; the phone gets an accepted push after them too. */
      delayMs?: number
    }
  /** The phone gets the push and the sender never an answer. */
  | { silent: true }
  /** The connection breaks, with all that is on it. */
  | { breaks: true }
  /** RST_STREAM with this HTTP/2 error code, by default INTERNAL_ERROR. */
  | { reset: true; code?: number }
  /**
   * GOAWAY: no new stream is taken, those of before are still answered. By default its last stream id lies before this
   * push, which is provably not processed; with `includesThis` the push counts as processed and stays unanswered.
   */
  | { goaway: true; includesThis?: boolean; reason?: string }

export interface ApnsSimulatorOptions {
  environment: ApnsEnvironment
  accounts: readonly ApnsAccount[]
  /** PEM. */
  certificates: { cert: string; key: string }
  /** 0, the default, takes a free port. */
  port?: number
  /** How many requests are kept in `received` (default 100,000); `false` keeps none. */
  record?: number | false
  /** Refuses a second provider token minted within this time on one connection (Apple: 20 minutes). Off by default. */
  minTokenUpdateMs?: number
  maxConcurrentStreams?: number
  /** Where tokens were issued, lower-case hex to environment; shared by the two simulated gateways. */
  tokenEnvironments?: Map<string, ApnsEnvironment>
  clock?: Clock
}
