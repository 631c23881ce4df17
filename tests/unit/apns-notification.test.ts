import {
  createApnsRequest,
  MAX_PAYLOAD,
  MAX_VOIP_PAYLOAD,
} from '../../src/push/providers/apns/apns-notification.ts'
import type { Push } from '../../src/push/push.ts'
import { type CallContent, type Privacy, PUSH_KINDS } from '../../src/push/push-kinds.ts'
import { APNS_TOKEN, apnsPush, CONTENTS, NAMES_AND_NUMBERS, WORDS } from '../support/provider-pushes.ts'

const ID = '0193f7a4-0000-7000-8000-000000000001'
const CALL_UUID = CONTENTS.call.callUuid
const SIP_CALL_ID = CONTENTS.call.callId
const FIXED = { id: ID, expiresAt: 1_700_000_030_999 }

const requestOf = (push: Push) => createApnsRequest(push, 'com.example.app')

const callOf = (content: Partial<CallContent>) => apnsPush('call', FIXED, content)

/** Headers and payload as Apple gets them. */
function written(push: Push) {
  const { body = '', ...headers } = requestOf(push) ?? {}
  return { headers, size: Buffer.byteLength(body), payload: JSON.parse(body) as Record<string, string> }
}

const ALERT = { topic: 'com.example.app', pushType: 'alert', priority: 10 }
const QUIET = { topic: 'com.example.app', pushType: 'background', priority: 5 }
const VOIP = { topic: 'com.example.app.voip', pushType: 'voip', priority: 10 }
const CALLER = { caller_id: '+49301234567', caller_name: 'Ada Lovelace' }

const call = { type: 'incoming_call', call_id: CALL_UUID, sip_call_id: SIP_CALL_ID }
const ends = { expires_at: '2023-11-14T22:13:50.999Z' }
const missed = { ring_group: 'sales', type: 'missed_call', push_id: ID, sip_call_id: SIP_CALL_ID }
const missedAps = { badge: 3, sound: 'default', category: 'MISSED_CALL', 'mutable-content': 1 }
const voicemail = {
  ...{ mailbox: '1001', type: 'voicemail', push_id: ID, voicemail_id: 'vm-17', sip_call_id: SIP_CALL_ID },
}
const voicemailAps = { badge: 4, sound: 'default', category: 'VOICEMAIL', 'mutable-content': 1 }
const message = {
  ...{ seq: '42', type: 'chat_message', push_id: ID, message_id: 'm-9', conversation_id: 'conv-5' },
}
const messageAps = {
  ...{ badge: 5, sound: 'chime.caf', 'thread-id': 'conv-5', category: 'CHAT_MESSAGE' },
  ...{ 'mutable-content': 1, 'content-available': 1 },
}
const cancel = { ...call, type: 'call_cancelled', push_id: ID, cause: 'answered_elsewhere' }
const missedId = { ...ALERT, collapseId: `missed_call:${SIP_CALL_ID}` }
const cancelId = { ...QUIET, collapseId: `cancel:${SIP_CALL_ID}` }
const voicemailId = { ...ALERT, collapseId: 'voicemail:vm-17' }
const messageId = { ...ALERT, collapseId: 'message:conv-5' }

/** Exactly what leaves for every kind in every mode. */
const PAYLOADS: Record<(typeof PUSH_KINDS)[number], { headers: object } & Record<Privacy, object>> = {
  call: {
    headers: VOIP,
    full: { ...call, ...CALLER, ...ends },
    sender: { ...call, ...CALLER, ...ends },
    wake: { ...call, ...ends },
  },
  cancel: {
    headers: cancelId,
    full: { aps: { 'content-available': 1 }, ...cancel },
    sender: { aps: { 'content-available': 1 }, ...cancel },
    wake: { aps: { 'content-available': 1 }, ...cancel },
  },
  missed_call: {
    headers: missedId,
    full: {
      aps: { alert: { title: 'Ada Lovelace', 'loc-key': 'MISSED_CALL' }, ...missedAps },
      ...{ ...missed, ...CALLER },
    },
    sender: {
      aps: { alert: { title: 'Ada Lovelace', 'loc-key': 'MISSED_CALL' }, ...missedAps },
      ...{ ...missed, ...CALLER },
    },
    wake: { aps: { alert: { 'loc-key': 'MISSED_CALL' }, ...missedAps }, ...missed },
  },
  voicemail: {
    headers: voicemailId,
    full: {
      aps: {
        alert: { title: 'Ada Lovelace', 'loc-key': 'NEW_VOICEMAIL_OF', 'loc-args': ['1:02'] },
        ...voicemailAps,
      },
      ...{ ...voicemail, ...CALLER, duration: '62' },
    },
    sender: {
      aps: { alert: { title: 'Ada Lovelace', 'loc-key': 'NEW_VOICEMAIL' }, ...voicemailAps },
      ...{ ...voicemail, ...CALLER },
    },
    wake: { aps: { alert: { 'loc-key': 'NEW_VOICEMAIL' }, ...voicemailAps }, ...voicemail },
  },
  message: {
    headers: messageId,
    full: {
      aps: { alert: { title: 'Lunch', body: 'See you at noon' }, ...messageAps },
      ...{ ...message, sender_name: 'Ada Lovelace' },
    },
    sender: {
      aps: { alert: { title: 'Ada Lovelace', 'loc-key': 'NEW_MESSAGE' }, ...messageAps },
      ...{ ...message, sender_name: 'Ada Lovelace' },
    },
    wake: { aps: { alert: { 'loc-key': 'NEW_MESSAGE' }, ...messageAps }, ...message },
  },
  badge: {
    headers: { ...ALERT, priority: 5, collapseId: 'badge:icon' },
    full: { aps: { badge: 0 }, type: 'badge', push_id: ID },
    sender: { aps: { badge: 0 }, type: 'badge', push_id: ID },
    wake: { aps: { badge: 0 }, type: 'badge', push_id: ID },
  },
  background: {
    headers: { ...QUIET, collapseId: `background:${ID}` },
    full: { aps: { 'content-available': 1 }, type: 'background', push_id: ID, sync: 'contacts' },
    sender: { aps: { 'content-available': 1 }, type: 'background', push_id: ID, sync: 'contacts' },
    wake: { aps: { 'content-available': 1 }, type: 'background', push_id: ID, sync: 'contacts' },
  },
}

describe.each(PUSH_KINDS)('%s', (kind) => {
  test.each(['full', 'sender', 'wake'] as const)('in the mode %s', (privacy) => {
    const { headers, payload } = written(apnsPush(kind, { ...FIXED, privacy }))
    expect(headers).toEqual({
      token: APNS_TOKEN,
      id: ID,
      expiration: 1_700_000_030,
      ...PAYLOADS[kind].headers,
    })
    expect(payload).toEqual(PAYLOADS[kind][privacy])
  })

  test('keeps from Apple what the mode keeps', () => {
    const bodyIn = (privacy: Privacy) => requestOf(apnsPush(kind, { ...FIXED, privacy }))?.body ?? ''
    for (const word of WORDS) expect(bodyIn('sender')).not.toContain(word)
    for (const word of [...WORDS, ...NAMES_AND_NUMBERS]) expect(bodyIn('wake')).not.toContain(word)
  })
})

test('without a name the number is the title, and there is no field for the name', () => {
  const { callerName, ...nameless } = CONTENTS.missed_call
  expect(callerName).toBeDefined()
  const { payload } = written({ ...apnsPush('missed_call'), content: nameless })
  expect(payload).toMatchObject({ aps: { alert: { title: '+49301234567' } } })
  expect(payload).not.toHaveProperty('caller_name')
  const { callerName: _, ...bare } = CONTENTS.call
  expect(requestOf({ ...apnsPush('call'), content: bare })?.body).not.toContain('caller_name')
})

test('a message without more than its text has the least that people can read', () => {
  const { payload, headers } = written({
    ...apnsPush('message', FIXED),
    content: { messageId: 'm-9', text: 'Hi' },
  })
  expect(payload).toEqual({
    aps: {
      ...{ alert: { body: 'Hi' }, sound: 'default', category: 'CHAT_MESSAGE' },
      ...{ 'mutable-content': 1, 'content-available': 1 },
    },
    ...{ type: 'chat_message', push_id: ID, message_id: 'm-9' },
  })
  expect(headers).toMatchObject({ collapseId: 'message:m-9' })
})

describe('the collapse id', () => {
  const idOf = (changes: Partial<Push>) => requestOf(apnsPush('message', changes))?.collapseId

  test('is the one that was asked for', () => {
    expect(idOf({ collapseId: 'weather' })).toBe('weather')
    expect(idOf({ collapseId: 'x'.repeat(64) })).toBe('x'.repeat(64))
  })

  test.each([
    ['too long', 'x'.repeat(65)],
    ['not for a header', 'ünder\r\nx: y'],
    ['empty', ''],
  ])('is a hash of one that is %s', (_what, collapseId) => {
    expect(idOf({ collapseId })).toMatch(/^[\w-]{22}$/)
    expect(idOf({ collapseId })).toBe(idOf({ collapseId }))
    expect(idOf({ collapseId })).not.toBe(idOf({ collapseId: `${collapseId}2é` }))
  })

  test('stays the same when a push is sent again, and is nobody else’s', () => {
    const ids = PUSH_KINDS.filter((kind) => kind !== 'call').map((kind) => {
      const push = apnsPush(kind)
      expect(requestOf(push)?.collapseId).toBe(requestOf(push)?.collapseId)
      return requestOf(push)?.collapseId
    })
    expect(new Set(ids).size).toBe(PUSH_KINDS.length - 1)
    expect(requestOf(apnsPush('call'))).not.toHaveProperty('collapseId')
  })
})

describe('data of the caller', () => {
  test('never takes the place of ours, or of Apple’s, even where we have none', () => {
    const data = { aps: 'x', type: 'x', push_id: 'x', caller_name: 'Eve', call_id: 'x', other: 'kept' }
    const { payload } = written(apnsPush('background', FIXED, { data }))
    expect(payload).toEqual({
      aps: { 'content-available': 1 },
      ...{ type: 'background', push_id: ID, other: 'kept' },
    })
  })
})

describe('a payload that is too large', () => {
  test('loses the end of a name, to the last byte', () => {
    const { size, payload } = written(callOf({ callerName: 'x'.repeat(10_000) }))
    expect(size).toBe(MAX_VOIP_PAYLOAD)
    expect(payload.caller_name).toMatch(/^x+$/)
    expect(payload.caller_id).toBe(CONTENTS.call.callerId)
  })

  test('loses text before the title, and the title before the name', () => {
    const long = 'x'.repeat(3_000)
    const alertOf = (content: object) => {
      const { payload, size } = written(apnsPush('message', FIXED, content))
      expect(size).toBeLessThanOrEqual(MAX_PAYLOAD)
      const { alert } = payload.aps as unknown as { alert: Record<string, string> }
      return [alert.body?.length, alert['loc-key'], alert.title?.length, payload.sender_name?.length]
    }
    expect(alertOf({ text: 'y'.repeat(6_000) })).toEqual([expect.any(Number), undefined, 5, 12])
    const [text, , title, name] = alertOf({ text: long, title: 'z'.repeat(1_000) })
    expect([title, name]).toEqual([1_000, 12])
    expect(text).toBeGreaterThan(2_000)
    expect(alertOf({ title: long, senderName: long })).toEqual([
      undefined,
      'NEW_MESSAGE',
      expect.any(Number),
      3_000,
    ])
    expect(alertOf({ title: 'z', senderName: 'x'.repeat(6_000) })).toEqual([
      ...[undefined, 'NEW_MESSAGE', undefined],
      expect.any(Number),
    ])
  })

  test.each([
    ['an umlaut', 'ü', 2],
    ['an emoji of several code points', '👩‍👩‍👧‍👦', 25],
    ['a quote that is escaped', '"', 2],
  ])('%s is not cut in two', (_, character, bytes) => {
    const { size, payload } = written(callOf({ callerName: character.repeat(6_000) }))
    expect(size).toBeLessThanOrEqual(MAX_VOIP_PAYLOAD)
    expect(size).toBeGreaterThan(MAX_VOIP_PAYLOAD - bytes)
    expect(payload.caller_name?.replaceAll(character, '')).toBe('')
  })

  test.each([
    ['the ids of a call', callOf({ callId: 'x'.repeat(MAX_VOIP_PAYLOAD) })],
    ['the number', callOf({ callerId: '1'.repeat(10_000) })],
    ['the id of a message', apnsPush('message', {}, { messageId: 'x'.repeat(MAX_PAYLOAD) })],
    ['data of the caller', apnsPush('background', {}, { data: { a: 'x'.repeat(MAX_PAYLOAD) } })],
  ])('is none at all when it is for %s', (_what, push) => {
    expect(requestOf(push)).toBeUndefined()
  })

  test('of exactly the limit is left alone', () => {
    const room = MAX_VOIP_PAYLOAD - written(callOf({})).size
    const callerName = `Ada Lovelace${'x'.repeat(room)}`
    expect(written(callOf({ callerName }))).toMatchObject({
      size: MAX_VOIP_PAYLOAD,
      payload: { caller_name: callerName },
    })
  })

  test('has nothing left that is only display, when Apple asks for less', () => {
    const bare = createApnsRequest(apnsPush('message', FIXED), 'com.example.app', true)
    expect(JSON.parse(bare?.body ?? '')).toEqual(PAYLOADS.message.wake)
    const call = createApnsRequest(callOf({}), 'com.example.app', true)
    expect(call?.body).toContain('+49301234567')
    expect(call?.body).not.toContain('Ada Lovelace')
    expect(call?.id).toBe(ID)
  })
})

test('half a surrogate pair becomes what vendors take', () => {
  const { payload } = written(callOf({ callerName: 'Ada \ud83d' }))
  expect(payload.caller_name).toBe('Ada \ufffd')
})
