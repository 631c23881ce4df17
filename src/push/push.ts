/** The vocabulary of a push: what it is, which states it passes, what a provider can say about it. */

/** Who takes a push to the phone. */
export type Provider = 'apns' | 'fcm'

/** Calls are useless after the ring time and must be fast; messages may wait and must not be lost. */
export type Lane = 'calls' | 'messages'

/** Which of Apple's two gateways knows the token: an app signed for development gets sandbox tokens. */
export type ApnsEnvironment = 'production' | 'sandbox'

/**
 * Life of a push. `delivered` means the provider accepted it, never that a phone showed it.
 * The five last are terminal: a push in one of them never changes again.
 */
export const PUSH_STATES = [
  'queued',
  'sending',
  'delivered',
  'token_dead',
  'rejected',
  'expired',
  'failed',
] as const
export type PushState = (typeof PUSH_STATES)[number]
export type ClosedState = Exclude<PushState, 'queued' | 'sending'>

/** What an app needs to ring: it is the content of the notification, in no vendor's format. */
export interface CallContent {
  /** The SIP Call-ID (RFC 3261 section 8.1.1.4) as the PBX gave it. */
  callId: string
  /** Deterministic per call and device, so that CallKit refuses a second report of the same call. */
  callUuid: string
  callerId: string
  callerName?: string
}

/** One notification for one device token. */
export interface Push {
  /** UUID, lower case. Also the job id and the apns-id, the same over all tries. */
  id: string
  tenantId: string
  licenseId?: string
  kind: 'call'
  provider: Provider
  environment: ApnsEnvironment
  /** Which app's credentials send it. */
  appId: string
  /** The device token in clear: lives in memory only, never in a log, a row or a job. */
  token: string
  /** Keyed hash of the token (lower-case hex), safe to store and to search by. */
  tokenHash: string
  /** Set when the token is one of ours and not merely handed in with the request. */
  deviceId?: string
  extension?: string
  content: CallContent
  /** Milliseconds since the epoch. */
  acceptedAt: number
  /** Milliseconds since the epoch; nothing leaves after it. */
  expiresAt: number
}

/**
 * What a provider said about one try. Nothing outside `providers/` knows a vendor's codes; `reason` is the vendor's own
 * word, `detail` a sentence for people.
 */
export type Outcome =
  | { kind: 'accepted'; providerId: string }
  /** The token will never work again, as of `deadSince` (ms since the epoch) when the vendor says so. */
  | { kind: 'token_dead'; reason: string; detail: string; deadSince?: number }
  /** Worth another try while the deadline allows; the vendor may ask for a pause (ms). */
  | { kind: 'retry'; reason: string; detail: string; retryAfterMs?: number }
  /** Our own payload, topic, key or configuration: loud, and the token stays. */
  | { kind: 'rejected'; reason: string; detail: string }
  /** The request left and no answer came: it may have rung, so it is not blindly sent again. */
  | { kind: 'unknown'; reason: string; detail: string }

/** A way to the phones of one vendor. Connections persist between sends. */
export interface PushProvider {
  /**
   * One try. Resolves to an outcome for everything a vendor or the network can do; `signal` aborts when the push's
   * deadline passes, which ends as `unknown` once the request has left.
   */
  send(push: Push, signal: AbortSignal): Promise<Outcome>
  close(): Promise<void>
}
