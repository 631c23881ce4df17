import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { newId } from '../../src/lib/ids.ts'
import { query } from '../support/databases.ts'
import {
  apnsToken,
  BACKENDS,
  callId,
  fcmToken,
  startTestGateway,
  type TestGateway,
} from '../support/gateway.ts'

/** What `POST /v1/push` takes besides calls, and what it refuses before anything is queued. */
describe.each(BACKENDS)('POST /v1/push for every kind on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const send = (body: Record<string, unknown>, headers: Record<string, string> = {}) =>
    gateway.request('POST', '/v1/push', {
      body: {
        license_key: gateway.tenant.licenseKey,
        push_platform: 'apns',
        push_token: apnsToken(),
        ...body,
      },
      headers,
    })
  const apns = (token: string) => gateway.simulators.apns.received.find((push) => push.token === token)
  const fcm = (token: string) => gateway.simulators.fcm.received.find((push) => push.token === token)

  const kinds: [string, Record<string, unknown>, string, string, string][] = [
    ['missed_call', { call_id: 'a@b', caller_id: '030', badge: 2 }, 'alert', '10', 'missed_call'],
    ['voicemail', { voicemail_id: 'v1', caller_id: '030', duration: 17 }, 'alert', '10', 'voicemail'],
    [
      'message',
      { message_id: 'm1', conversation_id: 'c1', text: 'Hi', sender_name: 'Ada' },
      'alert',
      '10',
      'chat_message',
    ],
    ['badge', { badge: 3 }, 'alert', '5', 'badge'],
    ['background', { data: { refresh: 'directory' } }, 'background', '5', 'background'],
  ]
  test.each(kinds)(
    '%s is promised, and arrives at Apple and Google as what it is',
    async (kind, body, type, priority, fcmType) => {
      const [iphone, android] = [apnsToken(), fcmToken()]
      const answers = [
        await send({ kind, push_token: iphone, ...body }),
        await send({ kind, push_platform: 'fcm', push_token: android, ...body }),
      ]
      expect(answers.map(({ status }) => status)).toEqual([202, 202])
      for (const { json } of answers)
        expect(await gateway.ended(json.data.push_id)).toMatchObject({ delivered: true, kind })
      const atApple = apns(iphone)
      expect(atApple?.headers).toMatchObject({ 'apns-push-type': type, 'apns-priority': priority })
      expect(atApple?.topic).not.toMatch(/\.voip$/)
      expect(atApple?.headers['apns-collapse-id']).toBeDefined()
      expect(fcm(android)?.message).toMatchObject({ data: { type: fcmType } })
    },
  )

  test('cancel is answered like a call, and is no VoIP push', async () => {
    const [iphone, android] = [apnsToken(), fcmToken()]
    const call_id = callId()
    const answer = await send({ kind: 'cancel', push_token: iphone, call_id, cause: 'answered_elsewhere' })
    expect(answer.status).toBe(200)
    expect(answer.json.data).toMatchObject({ delivered: true, kind: 'cancel', call_id })
    expect(apns(iphone)?.headers).toMatchObject({ 'apns-push-type': 'background', 'apns-priority': '5' })
    await send({ kind: 'cancel', push_platform: 'fcm', push_token: android, call_id })
    expect(fcm(android)?.message).toMatchObject({
      data: { type: 'call_cancelled', sip_call_id: call_id, cause: 'cancelled' },
      android: { priority: 'high' },
    })
  })

  test('a call and its cancel name the same call to the phone', async () => {
    const android = fcmToken()
    const call_id = callId()
    const of = (type: string) =>
      gateway.simulators.fcm.received
        .filter((push) => push.token === android)
        .map(({ message }) => message.data as Record<string, string>)
        .find((data) => data.type === type)
    await send({ push_platform: 'fcm', push_token: android, call_id })
    await send({ kind: 'cancel', push_platform: 'fcm', push_token: android, call_id })
    expect(of('call_cancelled')?.call_id).toBe(of('incoming_call')?.call_id)
  })

  test('an installation id is addressed as one', async () => {
    const fid = randomBytes(16).toString('base64url').slice(0, 22)
    const answer = await send({ call_id: callId(), push_platform: 'fcm', push_token: fid, token_kind: 'fid' })
    expect(answer.json.data).toMatchObject({ delivered: true })
    expect(gateway.simulators.fcm.received.some(({ message }) => message.fid === fid)).toBe(true)
  })

  test('in the private modes Apple and Google get no word of it', async () => {
    for (const privacy of ['sender', 'wake']) {
      const [iphone, android] = [apnsToken(), fcmToken()]
      const body = {
        kind: 'message',
        privacy,
        message_id: newId(),
        text: 'Xanadu',
        sender_name: 'Kublai',
        title: 'Xanadu',
      }
      for (const answer of [
        await send({ ...body, push_token: iphone }),
        await send({ ...body, push_platform: 'fcm', push_token: android }),
      ])
        await gateway.ended(answer.json.data.push_id)
      const seen = JSON.stringify([apns(iphone)?.payload, fcm(android)?.message])
      expect(seen).toContain(body.message_id)
      expect(seen).not.toContain('Xanadu')
      expect(seen.includes('Kublai')).toBe(privacy === 'sender')
    }
  })

  const message = { kind: 'message', message_id: 'm', text: 't' }
  const day = 86_400_000
  const refused: [string, Record<string, unknown>, string, string | RegExp, string?][] = [
    ['an unknown kind', { kind: 'fax' }, 'kind', /^kind must be one of call, cancel, /],
    ['a kind that is a number', { kind: 5 }, 'kind', /^kind must be one of/],
    ['no text', { kind: 'message', message_id: 'm' }, 'text', 'text is required'],
    ['no message id', { kind: 'message', text: 't' }, 'message_id', 'message_id is required'],
    ['a field of another kind', { ...message, voicemail_id: 'v' }, 'voicemail_id', 'invalid request body'],
    ['a badge below zero', { kind: 'badge', badge: -1 }, 'badge', /whole number from 0/],
    ['a badge that is a text', { kind: 'badge', badge: '1' }, 'badge', /whole number from 0/],
    ['no badge', { kind: 'badge' }, 'badge', /whole number from 0/],
    ['data that is a number', { ...message, data: { n: 1 } }, 'data.n', 'the values of data must be strings'],
    ['data that is a list', { ...message, data: ['a'] }, 'data', 'data must be an object of strings'],
    [
      'the key aps',
      { ...message, data: { aps: '{}' } },
      'data.aps',
      'data must not have the reserved key aps',
    ],
    ['a key of FCM', { ...message, data: { from: 'x' } }, 'data.from', /reserved key from/],
    [
      'a prefix of FCM',
      { ...message, data: { 'google.sent': 'x' } },
      'data.google.sent',
      /reserved key google\.sent/,
    ],
    ['another prefix of FCM', { ...message, data: { 'gcm.n': 'x' } }, 'data.gcm.n', /reserved key gcm\.n/],
    ['a key of ours', { ...message, data: { push_id: 'x' } }, 'data.push_id', /reserved key push_id/],
    ['an empty key', { ...message, data: { '': 'x' } }, 'data.', /reserved key/],
    ['data over the limit', { ...message, data: { k: 'x'.repeat(5_000) } }, 'data', /./, 'payload_too_large'],
    [
      'an expiry in the past',
      { ...message, expires_at: '2020-01-01T00:00:00Z' },
      'expires_at',
      /in the future/,
    ],
    [
      'an expiry of the epoch',
      { ...message, expires_at: '1970-01-01T00:00:00Z' },
      'expires_at',
      /in the future/,
    ],
    [
      'an absurd expiry',
      { ...message, expires_at: '9999-12-31T23:59:59Z' },
      'expires_at',
      /within 2419200 seconds/,
    ],
    [
      'an expiry without zone',
      { ...message, expires_at: '2030-01-01T00:00:00' },
      'expires_at',
      /a time like/,
    ],
    [
      'both ttl and expiry',
      { ...message, ttl: 5, expires_at: new Date(Date.now() + day).toISOString() },
      'expires_at',
      /exclude/,
    ],
    ['a ttl of no time', { ...message, ttl: 0 }, 'ttl', /from 1 to 2419200/],
    ['a ttl beyond four weeks', { ...message, ttl: 2_419_201 }, 'ttl', /from 1 to 2419200/],
    ['a ttl with a fraction', { ...message, ttl: 1.5 }, 'ttl', /whole number/],
    ['an unknown privacy', { ...message, privacy: 'secret' }, 'privacy', /full, sender, wake/],
    ['a token that is no hex', { ...message, push_token: 'not hex' }, 'push_token', /./, 'malformed_token'],
    ['a token of an odd length', { ...message, push_token: 'abc' }, 'push_token', /./, 'malformed_token'],
    [
      'an FCM token with a space',
      { ...message, push_platform: 'fcm', push_token: 'a b c d e f g' },
      'push_token',
      /./,
      'malformed_token',
    ],
    ['an installation id at Apple', { ...message, token_kind: 'fid' }, 'token_kind', /only FCM/],
    [
      'a call with the expiry of a message',
      { call_id: 'c', expires_at: '2030-01-01T00:00:00Z' },
      'expires_at',
      'invalid request body',
    ],
  ]
  test.each(refused)(
    'refuses %s before the queue',
    async (_what, body, field, sentence, code = 'invalid_request') => {
      const before = (await query(gateway.database.url, 'SELECT count(*)::int AS n FROM push_logs'))[0]
      const answer = await send(body)
      expect([answer.status, answer.json.field, answer.json.code]).toEqual([400, field, code])
      expect(answer.json.error).toEqual(
        typeof sentence === 'string' ? sentence : expect.stringMatching(sentence),
      )
      expect((await query(gateway.database.url, 'SELECT count(*)::int AS n FROM push_logs'))[0]).toEqual(
        before,
      )
    },
  )

  test('a text that is too long for a notification is cut, not refused', async () => {
    const token = apnsToken()
    const answer = await send({ ...message, push_token: token, text: '🦆'.repeat(2_000) })
    expect(answer.status).toBe(202)
    await gateway.ended(answer.json.data.push_id)
    expect(JSON.stringify(apns(token)?.payload)).toContain('🦆')
  })

  test('the same key and body is the same push, 50 times at once; another body is a conflict', async () => {
    for (const body of [{ ...message, message_id: newId() }, { call_id: callId() }]) {
      const token = apnsToken()
      const headers = { 'idempotency-key': newId(), prefer: 'respond-async' }
      const ask = (change = {}) => send({ ...body, push_token: token, ...change }, headers)
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask()))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
      const push_id: string = answers[0]?.json.data.push_id
      await gateway.ended(push_id)
      expect((await ask()).json.data.push_id).toBe(push_id)
      expect(gateway.simulators.apns.received.filter((push) => push.token === token)).toHaveLength(1)
      const other = await ask({ privacy: 'wake' })
      expect([other.status, other.json.code]).toEqual([409, 'idempotency_conflict'])
      const elsewhere = await gateway.otherTenant()
      const theirs = await send(
        { ...body, push_token: apnsToken(), license_key: elsewhere.licenseKey },
        headers,
      )
      expect(theirs.json.data.push_id).not.toBe(push_id)
    }
  })

  test('whatever is sent, nothing ends as a 5xx', async () => {
    const anything = fc.record(
      {
        kind: fc.oneof(
          fc.constantFrom('call', 'cancel', 'missed_call', 'voicemail', 'message', 'badge', 'background'),
          fc.jsonValue(),
        ),
        push_token: fc.oneof(fc.constant(apnsToken()), fc.string(), fc.jsonValue()),
        push_platform: fc.oneof(fc.constantFrom('apns', 'fcm'), fc.jsonValue()),
        call_id: fc.jsonValue(),
        message_id: fc.oneof(fc.string(), fc.jsonValue()),
        voicemail_id: fc.oneof(fc.string(), fc.jsonValue()),
        text: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
        badge: fc.oneof(fc.nat(), fc.double(), fc.jsonValue()),
        ttl: fc.oneof(fc.integer(), fc.double(), fc.jsonValue()),
        expires_at: fc.oneof(
          fc.string(),
          fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
        ),
        data: fc.oneof(fc.dictionary(fc.string(), fc.string({ unit: 'binary' })), fc.jsonValue()),
        privacy: fc.constantFrom('full', 'sender', 'wake', 'none'),
        environment: fc.constantFrom('production', 'sandbox', 'moon'),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(anything, async (body) => {
        const answer = await send(body as Record<string, unknown>, { prefer: 'respond-async' })
        expect(answer.status).toBeLessThan(500)
        expect(answer.status === 202 || typeof answer.json.code === 'string').toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})
