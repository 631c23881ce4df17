import { randomUUID } from 'node:crypto'
import type { Push, PushOf } from '../../src/push/push.ts'
import type { PushContents, PushKind } from '../../src/push/push-kinds.ts'

/** One content of each kind, with every field set. */
export const CONTENTS: PushContents = {
  call: {
    callId: 'a84b4c76e66710@pbx.example.com',
    callUuid: '5f0c7a52-7a0e-5b7c-9a57-2f6d1c1f8a11',
    callerId: '+49301234567',
    callerName: 'Ada Lovelace',
  },
  cancel: {
    callId: 'a84b4c76e66710@pbx.example.com',
    callUuid: '5f0c7a52-7a0e-5b7c-9a57-2f6d1c1f8a11',
    cause: 'answered_elsewhere',
  },
  missed_call: {
    callId: 'a84b4c76e66710@pbx.example.com',
    callerId: '+49301234567',
    callerName: 'Ada Lovelace',
    badge: 3,
    data: { ring_group: 'sales' },
  },
  voicemail: {
    voicemailId: 'vm-17',
    callId: 'a84b4c76e66710@pbx.example.com',
    callerId: '+49301234567',
    callerName: 'Ada Lovelace',
    durationSeconds: 62,
    badge: 4,
    data: { mailbox: '1001' },
  },
  message: {
    messageId: 'm-9',
    conversationId: 'conv-5',
    senderName: 'Ada Lovelace',
    title: 'Lunch',
    text: 'See you at noon',
    sound: 'chime.caf',
    badge: 5,
    data: { seq: '42' },
  },
  badge: { badge: 0 },
  background: { data: { sync: 'contacts' } },
}

/** What people could read in CONTENTS. */
export const NAMES_AND_NUMBERS = ['Ada Lovelace', '+49301234567']
export const WORDS = ['Lunch', 'See you at noon']

export const APNS_TOKEN = 'ab'.repeat(32)
export const FCM_TOKEN = 'fJ3kT0w:APA91bH-example_registration_token'
export const FID = 'cRqT9x_0SLe-2bYxWvUtsA'

/** Any push, with the token that its kind needs. @param content Takes the place of CONTENTS' fields. */
export function apnsPush<K extends PushKind>(
  kind: K,
  changes: Partial<Push> = {},
  content: Partial<PushContents[K]> = {},
): PushOf<K> {
  const tokenKind = kind === 'call' ? 'apns_voip' : 'apns'
  return pushOf(kind, { provider: 'apns', tokenKind, token: APNS_TOKEN, ...changes }, content)
}

export const fcmPush = <K extends PushKind>(
  kind: K,
  changes: Partial<Push> = {},
  content: Partial<PushContents[K]> = {},
): PushOf<K> => pushOf(kind, { provider: 'fcm', tokenKind: 'fcm', token: FCM_TOKEN, ...changes }, content)

function pushOf<K extends PushKind>(
  kind: K,
  changes: Partial<Push>,
  content: Partial<PushContents[K]>,
): PushOf<K> {
  return {
    id: randomUUID(),
    tenantId: 'tenant',
    kind,
    environment: 'production',
    appId: 'app',
    tokenHash: 'hash',
    privacy: 'full',
    content: { ...CONTENTS[kind], ...content },
    acceptedAt: Date.now(),
    expiresAt: Date.now() + 30_000,
    ...changes,
  } as PushOf<K>
}
