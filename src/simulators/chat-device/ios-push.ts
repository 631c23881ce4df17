import { z } from 'zod'
import type { AcceptedPush } from '../push-listeners.ts'
import type { PushWishes } from './ios-rules.ts'
import type { ShownNotification } from './notification-center.ts'

/** What the phone gets of a push: its body, and the headers that go on with it. */
export interface ApnsArrival extends AcceptedPush {
  apnsId: string
  headers: Readonly<Record<string, string | string[] | undefined>>
}

const Alert = z.object({
  title: z.string().optional(),
  subtitle: z.string().optional(),
  body: z.string().optional(),
  'loc-key': z.string().optional(),
  'loc-args': z.array(z.string()).default([]),
  'subtitle-loc-key': z.string().optional(),
  'subtitle-loc-args': z.array(z.string()).default([]),
})
const Payload = z.object({
  aps: z.object({
    alert: Alert.optional(),
    badge: z.int().optional(),
    sound: z.string().optional(),
    'thread-id': z.string().optional(),
    'mutable-content': z.literal(1).optional(),
    'content-available': z.literal(1).optional(),
  }),
  type: z.string(),
  message_id: z.string().optional(),
  conversation_id: z.string().optional(),
  cleared_conversations: z.string().optional(),
})

/** A push as the system and the app of an iPhone read it. */
export interface IosPush {
  type: string
  wishes: PushWishes
  messageId?: string
  conversationId?: string
  /** Conversations of which the app is to take back what it shows. */
  cleared: readonly string[]
  /** The sender did not say what was said: the extension has to fetch it. */
  hidesText: boolean
  notification: ShownNotification
}

/** @throws when the payload is not one that the app understands. */
export function readIosPush({ payload, headers, apnsId }: ApnsArrival): IosPush {
  const { aps, type, ...ours } = Payload.parse(payload)
  const { alert } = aps
  const collapseId = headers['apns-collapse-id']
  const subject = {
    ...(ours.message_id !== undefined && { messageId: ours.message_id }),
    ...(ours.conversation_id !== undefined && { conversationId: ours.conversation_id }),
  }
  return {
    type,
    ...subject,
    wishes: {
      alert: alert !== undefined,
      sound: aps.sound !== undefined,
      ...(aps.badge !== undefined && { badge: aps.badge }),
      mutableContent: aps['mutable-content'] === 1,
      contentAvailable: aps['content-available'] === 1,
    },
    cleared: ours.cleared_conversations?.split(',') ?? [],
    hidesText: alert?.body === undefined,
    notification: {
      // Without a collapse id each notification stands for itself.
      id: typeof collapseId === 'string' ? collapseId : apnsId,
      threadId: aps['thread-id'] ?? '',
      title: alert?.title ?? '',
      subtitle: alert?.subtitle ?? localized(alert?.['subtitle-loc-key'], alert?.['subtitle-loc-args']),
      body: alert?.body ?? localized(alert?.['loc-key'], alert?.['loc-args']),
      withSound: aps.sound !== undefined,
      ...subject,
    },
  }
}

/** The app's own words, in one of its languages: `%@` stands for an argument. */
const WORDS: Readonly<Record<string, string>> = {
  NEW_MESSAGE: 'New message',
  UNREAD_MESSAGES: '%@ unread messages',
  MISSED_CALL: 'Missed call',
  NEW_VOICEMAIL: 'New voicemail',
  NEW_VOICEMAIL_OF: 'New voicemail of %@',
}

/** A key for which the app has no words is shown as it is: that is how a person finds out. */
function localized(key: string | undefined, [argument = ''] = [] as readonly string[]): string {
  return key === undefined ? '' : (WORDS[key] ?? key).replace('%@', argument)
}
