import type {
  CallLaneKind,
  MessageLaneKind,
  Privacy,
  Provider,
  PushContents,
  PushKind,
} from './push-kinds.ts'

/** The vocabulary of a push: what it is and which states it passes. */

/** Which of Apple's two gateways knows the token: an app signed for development gets sandbox tokens. */
export type ApnsEnvironment = 'production' | 'sandbox'

/**
 * What a token opens. An iPhone has two: `apns_voip` (PushKit) rings for calls and is good for nothing else, `apns` takes all
 * other kinds. `fcm_fid` is a Firebase installation id, the successor of the FCM registration token.
 */
export const TOKEN_KINDS = ['apns', 'apns_voip', 'fcm', 'fcm_fid'] as const
export type TokenKind = (typeof TOKEN_KINDS)[number]

/**
 * Life of a push. `delivered` means the provider accepted it, never that a phone showed it; `skipped`, that nobody needed it any more.
 * All but the first two are terminal: a push in one of them never changes again.
 */
export const PUSH_STATES = [
  'queued',
  'sending',
  'delivered',
  'token_dead',
  'rejected',
  'expired',
  'failed',
  'skipped',
] as const
export type PushState = (typeof PUSH_STATES)[number]
export type ClosedState = Exclude<PushState, 'queued' | 'sending'>

/**
 * What a push tells of, where that may be out of date by the time it leaves: somebody looks again before each try. Without a message
 * it is only the number on the icon.
 */
export interface PushSubject {
  /** Whose phone it is for. */
  extensionId: number
  message?: {
    id: string
    conversationId: string
    /** Its place in the conversation. */
    seq: number
    /** The number of the event that tells the extension of it. */
    eventSeq: number
  }
}

interface PushBase {
  /** UUID, lower case. Also the job id and the apns-id, the same over all tries. */
  id: string
  tenantId: string
  licenseId?: string
  provider: Provider
  environment: ApnsEnvironment
  /** Which app's credentials send it. */
  appId: string
  tokenKind: TokenKind
  /** The device token in clear: lives in memory only, never in a log, a row or a job. */
  token: string
  /** Keyed hash of the token (lower-case hex), safe to store and to search by. */
  tokenHash: string
  /** Set when the token is one of ours and not merely handed in with the request. */
  deviceId?: string
  extension?: string
  privacy: Privacy
  /** A later push with the same id takes the place of this one on the phone. */
  collapseId?: string
  subject?: PushSubject
  /** Milliseconds since the epoch. */
  acceptedAt: number
  /** Milliseconds since the epoch; nothing leaves after it. */
  expiresAt: number
}

/** One notification for one device token. */
export type PushOf<Kind extends PushKind> = {
  [K in Kind]: PushBase & { kind: K; content: PushContents[K] }
}[Kind]
export type Push = PushOf<PushKind>
export type CallLanePush = PushOf<CallLaneKind>
export type MessageLanePush = PushOf<MessageLaneKind>

/** The call that a push is about, if it is about one. */
export const callIdOf = (push: Push): string | undefined =>
  'callId' in push.content ? push.content.callId : undefined
