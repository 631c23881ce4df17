/** What a push can be about, and what its notification says, in no vendor's format. */

/** Who takes a push to the phone. */
export type Provider = 'apns' | 'fcm'

/** Calls are useless after the ring time and must be fast; messages may wait and must not be lost. */
export type Lane = 'calls' | 'messages'

export const PUSH_KINDS = [
  'call',
  'cancel',
  'missed_call',
  'voicemail',
  'message',
  'badge',
  'background',
] as const
export type PushKind = (typeof PUSH_KINDS)[number]

/** A cancelled call is as urgent, and as soon out of date, as the call itself. */
export const LANE_OF = {
  call: 'calls',
  cancel: 'calls',
  missed_call: 'messages',
  voicemail: 'messages',
  message: 'messages',
  badge: 'messages',
  background: 'messages',
} as const satisfies Record<PushKind, Lane>
export type CallLaneKind = { [K in PushKind]: (typeof LANE_OF)[K] extends 'calls' ? K : never }[PushKind]
export type MessageLaneKind = Exclude<PushKind, CallLaneKind>

/** How much of a push Apple and Google may read: everything, who it is from, or only that there is something. */
export const PRIVACY_MODES = ['full', 'sender', 'wake'] as const
export type Privacy = (typeof PRIVACY_MODES)[number]

/** Which call, and how phones know it again. */
interface CallReference {
  /** The SIP Call-ID (RFC 3261 section 8.1.1.4) as the PBX gave it. */
  callId: string
  /** Deterministic per call and device, so that CallKit refuses a second report of the same call. */
  callUuid: string
}

export interface CallContent extends CallReference {
  callerId: string
  callerName?: string
}

export const CANCEL_CAUSES = ['cancelled', 'answered_elsewhere', 'declined_elsewhere'] as const
export type CancelCause = (typeof CANCEL_CAUSES)[number]
/** Stops the ringing. Never a VoIP push: iOS would ring for it. */
export interface CancelContent extends CallReference {
  cause: CancelCause
}

/** What an app gets besides, as it was given; its keys never take the place of ours. */
interface WithData {
  data?: Readonly<Record<string, string>>
}
interface WithBadge {
  /** The number on the app's icon; 0 removes it. */
  badge?: number
}

export interface MissedCallContent extends WithData, WithBadge {
  callId: string
  callerId: string
  callerName?: string
}

export interface VoicemailContent extends WithData, WithBadge {
  voicemailId: string
  /** The SIP Call-ID of the call that left it. */
  callId?: string
  callerId: string
  callerName?: string
  durationSeconds?: number
}

export interface MessageContent extends WithData, WithBadge {
  messageId: string
  conversationId?: string
  senderName?: string
  /** Shown above the text: the sender's name if absent. */
  title?: string
  text: string
  /** A sound file of the app, or `default`. */
  sound?: string
  /** How many messages of the conversation are unread, this one among them. */
  unread?: number
}

/** Sets the number on the icon and shows nothing. */
export interface BadgeContent {
  badge: number
  /** Conversations that were read elsewhere: the app takes back what it shows of them. */
  cleared?: readonly string[]
}

/** Wakes the app for a moment, unseen. Apple allows only a few of these per hour. */
export interface BackgroundContent extends WithData {}

export interface PushContents {
  call: CallContent
  cancel: CancelContent
  missed_call: MissedCallContent
  voicemail: VoicemailContent
  message: MessageContent
  badge: BadgeContent
  background: BackgroundContent
}
