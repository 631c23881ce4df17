import { createApnsRequest, MAX_VOIP_PAYLOAD } from '../../src/push/providers/apns/apns-notification.ts'
import type { CallContent, Push } from '../../src/push/push.ts'

const CONTENT: CallContent = {
  callId: 'a84b4c76e66710@pbx.example.com',
  callUuid: '5f0c7a52-7a0e-5b7c-9a57-2f6d1c1f8a11',
  callerId: '+49301234567',
  callerName: 'Ada Lovelace',
}

const pushOf = (content: Partial<CallContent>): Push => ({
  id: '0193f7a4-0000-7000-8000-000000000001',
  tenantId: 'tenant',
  kind: 'call',
  provider: 'apns',
  environment: 'production',
  appId: 'app',
  token: 'ab'.repeat(32),
  tokenHash: 'hash',
  content: { ...CONTENT, ...content },
  acceptedAt: 1_700_000_000_000,
  expiresAt: 1_700_000_030_999,
})

const requestOf = (content: Partial<CallContent>) => createApnsRequest(pushOf(content), 'com.example.app')

function payloadOf(content: Partial<CallContent>) {
  const body = requestOf(content)?.body ?? ''
  return { size: Buffer.byteLength(body), payload: JSON.parse(body) as Record<string, string> }
}

test('a call goes to the VoIP topic, at once, and expires in whole seconds before its end', () => {
  expect(requestOf({})).toMatchObject({
    token: 'ab'.repeat(32),
    id: '0193f7a4-0000-7000-8000-000000000001',
    topic: 'com.example.app.voip',
    pushType: 'voip',
    priority: 10,
    expiration: 1_700_000_030,
  })
})

test('the payload is what the phones read', () => {
  expect(payloadOf({}).payload).toEqual({
    type: 'incoming_call',
    caller_id: '+49301234567',
    caller_name: 'Ada Lovelace',
    call_id: CONTENT.callUuid,
    sip_call_id: CONTENT.callId,
    expires_at: '2023-11-14T22:13:50.999Z',
  })
})

test('without a name there is no field for it', () => {
  const { callerName, ...nameless } = CONTENT
  const request = createApnsRequest({ ...pushOf({}), content: nameless }, 'com.example.app')
  expect(callerName).toBeDefined()
  expect(request?.body).not.toContain('caller_name')
})

test('a name that is too long fills the payload to the last byte', () => {
  const { size, payload } = payloadOf({ callerName: 'x'.repeat(10_000) })
  expect(size).toBe(MAX_VOIP_PAYLOAD)
  expect(payload.caller_name).toMatch(/^x+$/)
  expect(payload.caller_id).toBe(CONTENT.callerId)
})

test.each([
  ['an umlaut', 'ü', 2],
  ['an emoji of several code points', '👩‍👩‍👧‍👦', 25],
  ['a quote that is escaped', '"', 2],
  ['half a surrogate pair', '\ud83d', 6],
])('%s is not cut in two', (_, character, bytes) => {
  const { size, payload } = payloadOf({ callerName: character.repeat(6_000) })
  expect(size).toBeLessThanOrEqual(MAX_VOIP_PAYLOAD)
  expect(size).toBeGreaterThan(MAX_VOIP_PAYLOAD - bytes)
  expect(payload.caller_name?.replaceAll(character, '')).toBe('')
})

test('a number that is too long pushes the name out before it is cut', () => {
  const { size, payload } = payloadOf({ callerId: '1'.repeat(10_000) })
  expect(size).toBe(MAX_VOIP_PAYLOAD)
  expect(payload).not.toHaveProperty('caller_name')
  expect(payload.call_id).toBe(CONTENT.callUuid)
})

test('the ids of a call are never cut', () => {
  expect(requestOf({ callId: 'x'.repeat(MAX_VOIP_PAYLOAD) })).toBeUndefined()
})

test('a payload of exactly the limit is left alone', () => {
  const room = MAX_VOIP_PAYLOAD - payloadOf({}).size
  const callerName = `Ada Lovelace${'x'.repeat(room)}`
  expect(payloadOf({ callerName })).toMatchObject({
    size: MAX_VOIP_PAYLOAD,
    payload: { caller_name: callerName },
  })
})
