import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { newId } from '../../src/lib/ids.ts'
import { outcomeKey } from '../../src/push/outcomes.ts'
import { until } from '../support/conditions.ts'
import {
  apnsToken,
  BACKENDS,
  callId,
  fcmToken,
  startTestGateway,
  type TestGateway,
} from '../support/gateway.ts'

/** The contract of `POST /v1/push` that an unmodified FlowPBX client relies on, and what we add to it. */
describe.each(BACKENDS)('POST /v1/push on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const whole = (change: Record<string, unknown> = {}) => ({
    license_key: gateway.tenant.licenseKey,
    push_token: apnsToken(),
    push_platform: 'apns',
    caller_id: '',
    call_id: callId(),
    ...change,
  })
  const send = (body: unknown, headers: Record<string, string> = {}, path = '/v1/push') =>
    gateway.request('POST', path, { body, headers })

  describe('refuses with the sentence of the contract', () => {
    const missing = (...names: string[]) => Object.fromEntries(names.map((name) => [name, undefined]))
    const cases: [string, () => unknown, number, string, string][] = [
      [
        'no licence key',
        () => whole(missing('license_key')),
        400,
        'license_key is required',
        'license_key_required',
      ],
      [
        'an empty licence key',
        () => whole({ license_key: '' }),
        400,
        'license_key is required',
        'license_key_required',
      ],
      ['nothing at all', () => ({}), 400, 'license_key is required', 'license_key_required'],
      ['null', () => 'null', 400, 'license_key is required', 'license_key_required'],
      ['no token', () => whole(missing('push_token')), 400, 'push_token is required', 'invalid_request'],
      [
        'no token and no platform',
        () => whole(missing('push_token', 'push_platform')),
        400,
        'push_token is required',
        'invalid_request',
      ],
      [
        'no platform',
        () => whole(missing('push_platform')),
        400,
        'push_platform must be fcm or apns',
        'invalid_request',
      ],
      [
        'an unknown platform',
        () => whole({ push_platform: 'hms' }),
        400,
        'push_platform must be fcm or apns',
        'invalid_request',
      ],
      ['no call id', () => whole(missing('call_id')), 400, 'call_id is required', 'invalid_request'],
      [
        'a call id that is a number',
        () => whole({ call_id: 5 }),
        400,
        'invalid request body',
        'invalid_request',
      ],
      [
        'a licence key that is a number',
        () => whole({ license_key: 5 }),
        400,
        'invalid request body',
        'invalid_request',
      ],
      ['an unknown field', () => whole({ colour: 'red' }), 400, 'invalid request body', 'invalid_request'],
      ['no JSON', () => 'not json', 400, 'invalid request body', 'malformed_json'],
      ['half a body', () => '{"license_key":"x"', 400, 'invalid request body', 'malformed_json'],
      ['two objects', () => '{}{}', 400, 'request body must contain a single json object', 'malformed_json'],
      ['an array', () => '[]', 400, 'license_key is required', 'license_key_required'],
      [
        'a wrong licence key',
        () => whole({ license_key: 'WL-WRONG' }),
        403,
        'invalid or expired license key',
        'KEY_MISTYPED',
      ],
      [
        'a ttl of no time',
        () => whole({ ttl: 0 }),
        400,
        'ttl must be a whole number of seconds from 1 to 120',
        'invalid_request',
      ],
      [
        'an unknown environment',
        () => whole({ environment: 'moon' }),
        400,
        'environment must be production or sandbox',
        'invalid_request',
      ],
      [
        'an unknown app',
        () => whole({ app_id: 'other' }),
        400,
        'app_id is not an app of this gateway',
        'unknown_app',
      ],
      [
        'a huge body',
        () => whole({ caller_id: 'x'.repeat(70_000) }),
        413,
        'request body too large',
        'body_too_large',
      ],
      [
        'NUL in the token',
        () => whole({ push_token: 'a\0b' }),
        400,
        'push_token must not contain NUL',
        'invalid_request',
      ],
    ]
    test.each(cases)('%s', async (_name, body, status, error, code) => {
      const answer = await send(body())
      expect(answer.status).toBe(status)
      expect(answer.json).toMatchObject({ data: null, error, code })
      expect(answer.json.request_id).toBe(answer.headers.get('x-request-id'))
      expect(answer.headers.get('content-type')).toContain('application/json')
    })

    test('an expired licence, like an unknown one', async () => {
      const other = await gateway.otherTenant()
      await gateway.context
        .db('licenses')
        .where({ tenant_id: other.tenantId })
        .update({ expires_at: new Date(0) })
      const answer = await send(whole({ license_key: other.licenseKey }))
      expect(answer.status).toBe(403)
      expect(answer.json).toMatchObject({
        data: null,
        error: 'invalid or expired license key',
        code: 'EXPIRED',
      })
    })
  })

  test('takes the licence key from the header when the body has none', async () => {
    const answer = await send(whole({ license_key: undefined }), {
      'x-license-key': gateway.tenant.licenseKey,
    })
    expect(answer.json.data).toMatchObject({ delivered: true })
  })

  test('does not look at the content type and routes a doubled slash', async () => {
    const answer = await send(JSON.stringify(whole()), { 'content-type': 'text/plain' }, '//v1/push')
    expect(answer.json.data).toMatchObject({ delivered: true })
  })

  test('answers other methods and paths in the envelope', async () => {
    const method = await gateway.request('GET', '/v1/push')
    expect(method.status).toBe(405)
    expect(method.headers.get('allow')).toBe('POST')
    expect(method.json).toMatchObject({ data: null, error: 'method not allowed', code: 'method_not_allowed' })
    const path = await gateway.request('GET', '/nowhere')
    expect(path.status).toBe(404)
    expect(path.json).toMatchObject({ data: null, error: 'not found', code: 'not_found' })
  })

  test('answers 502 for a dead token, and says that it is one', async () => {
    const push_token = apnsToken()
    gateway.simulators.apns.behaves(push_token, {
      status: 410,
      reason: 'Unregistered',
      timestamp: Date.now(),
    })
    const answer = await send(whole({ push_token }))
    expect(answer.status).toBe(502)
    expect(answer.json).toMatchObject({
      data: null,
      error: 'push delivery failed',
      code: 'push_failed',
      status: 'token_dead',
      reason: 'Unregistered',
      token_valid: false,
    })
    expect(answer.text.length).toBeLessThan(4_096)
  })

  test('answers 502 for our own fault and keeps the token', async () => {
    const push_token = apnsToken()
    gateway.simulators.apns.behaves(push_token, { status: 400, reason: 'TopicDisallowed' })
    const answer = await send(whole({ push_token }))
    expect(answer.status).toBe(502)
    expect(answer.json).toMatchObject({ status: 'rejected', reason: 'TopicDisallowed', token_valid: true })
  })

  test('tries again while Apple is unavailable, with the same id', async () => {
    const push_token = apnsToken()
    const busy = { status: 503, reason: 'ServiceUnavailable' }
    gateway.simulators.apns.answers(push_token, busy, busy)
    const answer = await send(whole({ push_token }))
    expect(answer.json.data).toMatchObject({ delivered: true, attempts: 3 })
    const arrived = gateway.simulators.apns.received.filter(({ token }) => token === push_token)
    expect(arrived.map(({ apnsId }) => apnsId)).toEqual(Array(3).fill(answer.json.data.push_id))
  })

  test('stops trying when the call is over', async () => {
    const push_token = fcmToken()
    gateway.simulators.fcm.behaves(push_token, { status: 503, errorCode: 'UNAVAILABLE' })
    const answer = await send(whole({ push_token, push_platform: 'fcm', ttl: 3 }))
    expect(answer.status).toBe(502)
    expect(answer.json.status).toBe('failed')
    expect(answer.json.attempts).toBeGreaterThan(1)
    // It is written after the answer.
    const row = await until(
      () => gateway.context.db('push_logs').first('*').where({ id: answer.json.push_id }),
      { description: 'the row is there' },
    )
    const { received } = gateway.simulators.fcm
    expect(received.filter(({ at }) => at > row.expires_at.getTime() + 1_000)).toEqual([])
  })

  test('with Prefer: respond-async answers 202 at once, and tells the outcome later', async () => {
    const call_id = callId()
    const answer = await send(whole({ call_id }), { prefer: 'respond-async' })
    expect(answer.status).toBe(202)
    expect(answer.headers.get('preference-applied')).toBe('respond-async')
    expect(answer.json.data).toMatchObject({ delivered: false, status: 'queued', call_id })
    const path = answer.headers.get('location') ?? ''
    const headers = { 'x-license-key': gateway.tenant.licenseKey }
    const later = await until(
      async () => {
        const read = await gateway.request('GET', path, { headers })
        return read.json.data?.status === 'delivered' ? read : undefined
      },
      { description: 'the push is delivered' },
    )
    expect(later.json.data).toMatchObject({ delivered: true, call_id, push_id: answer.json.data.push_id })

    const other = await gateway.otherTenant()
    const foreign = await gateway.request('GET', path, { headers: { 'x-license-key': other.licenseKey } })
    expect(foreign.status).toBe(404)
    expect((await gateway.request('GET', `/v1/push/${newId()}`, { headers })).json.code).toBe('unknown_push')
    expect((await gateway.request('GET', '/v1/push/none', { headers })).json.code).toBe('invalid_request')
  })

  test('with the same Idempotency-Key is one push, however often and however parallel', async () => {
    const body = whole()
    const headers = { 'idempotency-key': randomBytes(8).toString('hex') }
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(body, headers)))
    expect(new Set(answers.map(({ json }) => JSON.stringify(json.data))).size).toBe(1)
    expect(answers[0]?.json.data.delivered).toBe(true)
    expect(await send(body, headers)).toMatchObject({ status: 200, json: answers[0]?.json })
    const arrived = gateway.simulators.apns.received.filter(({ token }) => token === body.push_token)
    expect(arrived).toHaveLength(1)

    const other = await send({ ...body, caller_id: 'somebody else' }, headers)
    expect(other.status).toBe(409)
    expect(other.json.code).toBe('idempotency_conflict')
    expect((await send(body, { 'idempotency-key': 'ä' })).json.code).toBe('invalid_request')
  })

  const forget = async (pushId: string) => {
    const { signals } = gateway.context
    const key = outcomeKey(pushId)
    await signals.put({ key, value: '{}', ttlMs: 1 })
    await until(async () => (await signals.get([key]))[0] === undefined, { description: 'it is forgotten' })
  }

  test('with the same Idempotency-Key gets the same answer, though its outcome is only in the log', async () => {
    const [good, bad] = [whole(), whole()]
    gateway.simulators.apns.answers(bad.push_token, { status: 400, reason: 'BadTopic' })
    for (const body of [good, bad]) {
      const headers = { 'idempotency-key': newId() }
      const first = await send(body, headers)
      const pushId = first.json.data?.push_id ?? first.json.push_id
      await until(async () => (await gateway.pushLog()).some((row) => row.id === pushId && row.closed_at), {
        description: 'the row is closed',
      })
      await forget(pushId)
      const begin = performance.now()
      const second = await send(body, headers)
      expect(second.status).toBe(first.status)
      expect({ ...second.json, request_id: '' }).toEqual({ ...first.json, request_id: '' })
      // Whoever waits for an outcome does so for 8 s.
      expect(performance.now() - begin).toBeLessThan(7_000)
      expect(gateway.simulators.apns.received.filter(({ token }) => token === body.push_token)).toHaveLength(
        1,
      )
    }
  })

  test('that got no further than its Idempotency-Key is sent when it is repeated, with its first times', async () => {
    const { signals, pendingPushes } = gateway.context
    const [{ claim }, { claimKey }] = [signals, pendingPushes]
    signals.claim = async (...asked) => {
      await claim(...asked)
      throw new Error('the connection broke')
    }
    pendingPushes.claimKey = () => Promise.reject(new Error('away'))
    const body = whole()
    const headers = { 'idempotency-key': newId() }
    const before = Date.now()
    const refused = await send(body, headers).finally(() => {
      Object.assign(signals, { claim })
      Object.assign(pendingPushes, { claimKey })
    })
    const after = Date.now()
    expect([refused.status, refused.json.code]).toEqual([503, 'queue_unavailable'])
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(body, headers)))
    expect(answers.map(({ json }) => json.data?.delivered)).toEqual(Array(5).fill(true))
    const arrived = gateway.simulators.apns.received.filter(({ token }) => token === body.push_token)
    expect(arrived).toHaveLength(1)
    const pushId = answers[0]?.json.data.push_id
    const row = await until(
      async () => (await gateway.pushLog()).find(({ id, closed_at }) => id === pushId && closed_at),
      { description: 'the row is closed' },
    )
    expect(row.accepted_at.getTime()).toBeGreaterThanOrEqual(before)
    expect(row.accepted_at.getTime()).toBeLessThanOrEqual(after)
  })

  test('loses none of the pushes of a ring group', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => send(whole())))
    expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(200))
  })

  test('never answers junk with a 5xx or with HTML', async () => {
    const field = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constant(undefined))
    const junk = fc.record({
      license_key: fc.oneof(fc.constant(gateway.tenant.licenseKey), field),
      push_token: field,
      push_platform: fc.oneof(fc.constant('apns'), field),
      call_id: field,
      caller_id: field,
      ttl: field,
      environment: field,
    })
    await fc.assert(
      fc.asyncProperty(fc.oneof(junk, fc.jsonValue()), async (body) => {
        const answer = await send(JSON.stringify(body) ?? '', { prefer: 'respond-async' })
        expect(answer.json).toHaveProperty('data')
        expect(answer.status).toBeLessThan(500)
      }),
      { numRuns: 200 },
    )
  })
})
