import type { Push } from '../push.ts'
import type { Privacy, PushContents } from '../push-kinds.ts'

/** What the payloads of both vendors are made of: which keys an app gets, and which of them a privacy mode leaves. */

/** The words by which an app tells pushes apart. */
export type PayloadType =
  | 'incoming_call'
  | 'call_cancelled'
  | 'missed_call'
  | 'voicemail'
  | 'chat_message'
  | 'badge'
  | 'background'

/** Keys of ours. */
export const PAYLOAD_KEYS = [
  ...(['type', 'push_id', 'collapse_id', 'call_id', 'sip_call_id', 'expires_at', 'cause'] as const),
  ...(['caller_id', 'caller_name', 'voicemail_id', 'duration'] as const),
  ...(['message_id', 'conversation_id', 'sender_name', 'title', 'text', 'sound', 'badge'] as const),
  ...(['unread_count', 'cleared_conversations'] as const),
] as const
export type PayloadKey = (typeof PAYLOAD_KEYS)[number]

/** Apple keeps `aps` for itself, Google the others: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages */
const VENDOR_KEYS = ['aps', 'from', 'message_type', '']
const RESERVED: ReadonlySet<string> = new Set([...PAYLOAD_KEYS, ...VENDOR_KEYS])

/** Whether a key of `data` is not the caller's to set; a payload leaves such a key out. */
export const isReservedDataKey = (key: string): boolean => RESERVED.has(key) || /^(?:google|gcm)\./.test(key)

/** What people read. It is cut when there is no room: first the text, then the title, then the name. */
export interface Display {
  text?: string | undefined
  title?: string | undefined
  name?: string | undefined
}

export interface PayloadContent {
  type: PayloadType
  /** Ids, numbers and facts: never cut. */
  facts: Partial<Record<PayloadKey, string>>
  display: Display
  /** Under which key the app finds the name. */
  nameKey: 'caller_name' | 'sender_name'
  badge?: number | undefined
  sound?: string | undefined
  /** The caller's own, without reserved keys. */
  data: Readonly<Record<string, string>>
}

/** `sender` leaves out what was said, `wake` also who said it; ids stay, so that the app can fetch the rest. */
export function describePayload(push: Push): PayloadContent {
  switch (push.kind) {
    case 'call':
      return describeCall(push.content, push.privacy, push.expiresAt)
    case 'cancel':
      return describeCancel(push.content)
    case 'missed_call':
      return describeMissedCall(push.content, push.privacy)
    case 'voicemail':
      return describeVoicemail(push.content, push.privacy)
    case 'message':
      return describeMessage(push.content, push.privacy)
    case 'badge':
      return describeBadge(push.content)
    case 'background':
      return plain('background', push.content.data)
  }
}

/** The API refuses reserved keys; should one come this far, it is left out, whether or not this push has such a key. */
const withoutReserved = (data: Readonly<Record<string, string>> = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(data).flatMap(([key, value]) =>
      isReservedDataKey(key) ? [] : [[clean(key), clean(value)]],
    ),
  )

function describeCall(content: PushContents['call'], privacy: Privacy, expiresAt: number): PayloadContent {
  const { callUuid, callId, callerName } = content
  return {
    ...plain('incoming_call'),
    facts: {
      ...(privacy !== 'wake' && { caller_id: clean(content.callerId) }),
      call_id: callUuid,
      sip_call_id: callId,
      expires_at: new Date(expiresAt).toISOString(),
    },
    display: privacy === 'wake' ? {} : { name: shown(callerName) },
  }
}

function describeCancel({ callUuid, callId, cause }: PushContents['cancel']): PayloadContent {
  return { ...plain('call_cancelled'), facts: { call_id: callUuid, sip_call_id: callId, cause } }
}

function describeMissedCall(content: PushContents['missed_call'], privacy: Privacy): PayloadContent {
  return {
    ...plain('missed_call', content.data),
    facts: { sip_call_id: content.callId, ...numberOf(content, privacy) },
    display: callerOf(content, privacy),
    badge: content.badge,
  }
}

function describeVoicemail(content: PushContents['voicemail'], privacy: Privacy): PayloadContent {
  const { voicemailId, callId, durationSeconds, badge, data } = content
  return {
    ...plain('voicemail', data),
    facts: {
      voicemail_id: voicemailId,
      ...(callId !== undefined && { sip_call_id: callId }),
      ...numberOf(content, privacy),
      ...(privacy === 'full' && durationSeconds !== undefined && { duration: String(durationSeconds) }),
    },
    display: callerOf(content, privacy),
    badge,
  }
}

function describeMessage(content: PushContents['message'], privacy: Privacy): PayloadContent {
  const { messageId, conversationId, senderName, title = senderName, text, sound, badge, data } = content
  const { unread } = content
  return {
    ...plain('chat_message', data),
    facts: {
      message_id: messageId,
      ...(conversationId !== undefined && { conversation_id: conversationId }),
      ...(unread !== undefined && { unread_count: String(unread) }),
    },
    display: {
      full: { text: shown(text), title: shown(title), name: shown(senderName) },
      // A title may be a part of what was said; the name is not.
      sender: { title: shown(senderName), name: shown(senderName) },
      wake: {},
    }[privacy],
    nameKey: 'sender_name',
    badge,
    sound,
  }
}

const describeBadge = ({ badge, cleared = [] }: PushContents['badge']): PayloadContent => ({
  ...plain('badge'),
  facts: cleared.length === 0 ? {} : { cleared_conversations: cleared.join(',') },
  badge,
})

const plain = (type: PayloadType, data?: Readonly<Record<string, string>>): PayloadContent => ({
  type,
  facts: {},
  display: {},
  nameKey: 'caller_name',
  data: withoutReserved(data),
})

interface Caller {
  callerId: string
  callerName?: string
}

const numberOf = ({ callerId }: Caller, privacy: Privacy) =>
  privacy === 'wake' ? {} : { caller_id: clean(callerId) }

const callerOf = ({ callerId, callerName }: Caller, privacy: Privacy): Display =>
  privacy === 'wake' ? {} : { title: shown(callerName) ?? clean(callerId), name: shown(callerName) }

const shown = (text: string | undefined): string | undefined => clean(text ?? '') || undefined

/** Half a surrogate pair, as a PBX may leave at the end of a name, is no text that a vendor would take. */
const clean = (text: string): string => text.toWellFormed()
