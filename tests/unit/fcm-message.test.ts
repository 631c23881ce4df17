import { createFcmMessage, MAX_DATA } from '../../src/push/providers/fcm/fcm-message.ts'
import type { Push } from '../../src/push/push.ts'
import { type Privacy, PUSH_KINDS } from '../../src/push/push-kinds.ts'
import { CONTENTS, FCM_TOKEN, FID, fcmPush, NAMES_AND_NUMBERS, WORDS } from '../support/provider-pushes.ts'

const ID = '0193f7a4-0000-7000-8000-000000000001'
const NOW = 1_700_000_000_000
const FIXED = { id: ID, expiresAt: NOW + 30_500 }
const CALL_UUID = CONTENTS.call.callUuid
const SIP_CALL_ID = CONTENTS.call.callId
const DAY = 86_400_000

const messageOf = (push: Push) => createFcmMessage(push, NOW)
const dataOf = (push: Push) => messageOf(push)?.data ?? {}

const sizeOf = (data: Record<string, string>) => Buffer.byteLength(Object.entries(data).flat().join(''))

const CALLER = { caller_id: '+49301234567', caller_name: 'Ada Lovelace' }
const HIGH = { priority: 'high', ttl: 30_500 }

const call = {
  ...{ type: 'incoming_call', call_id: CALL_UUID, sip_call_id: SIP_CALL_ID },
  expires_at: new Date(FIXED.expiresAt).toISOString(),
}
const cancel = {
  ...{ type: 'call_cancelled', push_id: ID, collapse_id: `cancel:${SIP_CALL_ID}` },
  ...{ call_id: CALL_UUID, sip_call_id: SIP_CALL_ID, cause: 'answered_elsewhere' },
}
const missed = {
  ...{ ring_group: 'sales', type: 'missed_call', push_id: ID, collapse_id: `missed_call:${SIP_CALL_ID}` },
  ...{ sip_call_id: SIP_CALL_ID, badge: '3' },
}
const voicemail = {
  ...{ mailbox: '1001', type: 'voicemail', push_id: ID, collapse_id: 'voicemail:vm-17', badge: '4' },
  ...{ voicemail_id: 'vm-17', sip_call_id: SIP_CALL_ID },
}
const message = {
  ...{ seq: '42', type: 'chat_message', push_id: ID, collapse_id: 'message:conv-5', badge: '5' },
  ...{ message_id: 'm-9', conversation_id: 'conv-5', sound: 'chime.caf' },
}
const badge = { type: 'badge', push_id: ID, badge: '0' }
const background = { type: 'background', push_id: ID, sync: 'contacts' }
const from = { ...CALLER, title: 'Ada Lovelace' }

/** Exactly what leaves for every kind in every mode. */
const MESSAGES: Record<(typeof PUSH_KINDS)[number], { android: object } & Record<Privacy, object>> = {
  call: { android: HIGH, full: { ...call, ...CALLER }, sender: { ...call, ...CALLER }, wake: call },
  cancel: { android: HIGH, full: cancel, sender: cancel, wake: cancel },
  missed_call: { android: HIGH, full: { ...missed, ...from }, sender: { ...missed, ...from }, wake: missed },
  voicemail: {
    android: HIGH,
    full: { ...voicemail, ...from, duration: '62' },
    sender: { ...voicemail, ...from },
    wake: voicemail,
  },
  message: {
    android: HIGH,
    full: { ...message, sender_name: 'Ada Lovelace', title: 'Lunch', text: 'See you at noon' },
    sender: { ...message, sender_name: 'Ada Lovelace', title: 'Ada Lovelace' },
    wake: message,
  },
  badge: {
    android: { priority: 'normal', ttl: 30_500, collapseKey: 'badge' },
    ...{ full: badge, sender: badge, wake: badge },
  },
  background: {
    android: { priority: 'normal', ttl: 30_500, collapseKey: 'background' },
    ...{ full: background, sender: background, wake: background },
  },
}

describe.each(PUSH_KINDS)('%s', (kind) => {
  test.each(['full', 'sender', 'wake'] as const)('in the mode %s', (privacy) => {
    expect(messageOf(fcmPush(kind, { ...FIXED, privacy }))).toEqual({
      token: FCM_TOKEN,
      data: MESSAGES[kind][privacy],
      android: MESSAGES[kind].android,
    })
  })

  test('keeps from Google what the mode keeps', () => {
    const textIn = (privacy: Privacy) => JSON.stringify(messageOf(fcmPush(kind, { ...FIXED, privacy })))
    for (const word of WORDS) expect(textIn('sender')).not.toContain(word)
    for (const word of [...WORDS, ...NAMES_AND_NUMBERS]) expect(textIn('wake')).not.toContain(word)
  })
})

test('an installation id is addressed as one', () => {
  const message = messageOf(fcmPush('call', { tokenKind: 'fcm_fid', token: FID }))
  expect(message).toMatchObject({ fid: FID })
  expect(message).not.toHaveProperty('token')
})

test('what is left of the time is the time to live, within what Google takes', () => {
  const ttlOf = (expiresAt: number) => messageOf(fcmPush('message', { expiresAt }))?.android?.ttl
  expect(ttlOf(NOW - 5_000)).toBe(0)
  expect(ttlOf(NOW + 1)).toBe(1)
  expect(ttlOf(NOW + 40 * DAY)).toBe(28 * DAY)
})

test('data of the caller never takes the place of ours, or of Google’s', () => {
  const data = {
    ...{ type: 'x', push_id: 'x', text: 'x', aps: 'x', from: 'x', message_type: 'x', '': 'x' },
    ...{ 'google.x': 'x', 'gcm.x': 'x', google: 'kept', other: 'kept' },
  }
  expect(dataOf(fcmPush('background', FIXED, { data }))).toEqual({
    ...{ type: 'background', push_id: ID, google: 'kept', other: 'kept' },
  })
})

test('a message that is too large loses text before the title, and the title before the name', () => {
  const lengthsOf = (content: object) => {
    const data = dataOf(fcmPush('message', FIXED, content))
    expect(sizeOf(data)).toBe(MAX_DATA)
    return [data.text?.length, data.title?.length, data.sender_name?.length]
  }
  expect(lengthsOf({ text: 'x'.repeat(9_000) })).toEqual([expect.any(Number), 5, 12])
  const long = 'x'.repeat(3_000)
  expect(lengthsOf({ title: long, senderName: long })).toEqual([undefined, expect.any(Number), 3_000])
  expect(lengthsOf({ senderName: 'x'.repeat(9_000) })).toEqual([undefined, undefined, expect.any(Number)])
})

test.each([
  ['the number', fcmPush('call', {}, { callerId: '1'.repeat(MAX_DATA) })],
  ['the ids', fcmPush('call', {}, { callId: '1'.repeat(MAX_DATA) })],
  ['data of the caller', fcmPush('background', {}, { data: { a: 'x'.repeat(MAX_DATA) } })],
])('%s is never cut', (_what, push) => {
  expect(messageOf(push)).toBeUndefined()
})
