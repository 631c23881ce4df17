import { randomBytes } from 'node:crypto'
import { DAY, SECOND } from '../../src/lib/units.ts'
import { until } from '../support/conditions.ts'
import {
  apnsToken,
  BACKENDS,
  callId,
  fcmToken,
  startTestGateway,
  type TestGateway,
} from '../support/gateway.ts'
import { givenLicensed, statuses, times } from '../support/licensed.ts'
import { startWebhookReceiver } from '../support/webhook-receiver.ts'

const LIMIT_HEADERS = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'ratelimit-policy']
const limitsIn = (headers: Headers) => LIMIT_HEADERS.map((name) => headers.get(name))

describe.each(BACKENDS)('limits of pushes on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({
      backend,
      nodes: 2,
      patient: true,
      env: { WEBHOOK_PRIVATE_NETWORKS: '127.0.0.0/8' },
    })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const metric = async (line: string) => {
    const texts = await Promise.all(gateway.nodes.map(({ context }) => context.metrics.registry.metrics()))
    const values = texts.map((text) => text.split('\n').find((row) => row.startsWith(line)))
    return values.reduce((sum, row) => sum + Number(row?.split(' ').at(-1) ?? 0), 0)
  }

  test('a ring group of 20 phones loses nothing on the smallest licence', async () => {
    const { ring } = await givenLicensed(gateway)
    const call_id = callId()
    const answers = await times(20, (i) => ring({ call_id }, i % 2))
    expect(answers.map(({ json }) => json.data?.delivered)).toEqual(answers.map(() => true))
  })

  test.each([
    ['free', 5],
    ['standard', 25],
    ['professional', 100],
  ] as const)(
    'a ring group of all extensions of a %s licence with three phones each loses nothing',
    async (tier, extensions) => {
      const { call } = await givenLicensed(gateway, { tier })
      const call_id = callId()
      const answers = await times(extensions * 3, (i) => call({ call_id }, i % 2))
      expect(statuses(answers)).toEqual({ 202: extensions * 3 })
    },
  )

  test('one call too many is refused in the words of the contract, and nothing of it is left', async () => {
    const { call, rows } = await givenLicensed(gateway)
    const tokens = Array.from({ length: 60 }, apnsToken)
    const answers = await times(60, (i) => call({ push_token: tokens[i] }))
    expect(statuses(answers)).toEqual({ 202: 50, 429: 10 })
    for (const { status, json, headers } of answers) {
      if (status === 202) continue
      expect(json).toEqual({
        data: null,
        error: 'rate limit exceeded',
        code: 'rate_limited',
        hint: expect.stringMatching(/^this licence may push 50 calls in 10 seconds: the next 50 in \d+ s$/),
        request_id: expect.any(String),
      })
      const wait = Number(headers.get('retry-after'))
      expect(wait).toBeGreaterThanOrEqual(1)
      expect(wait).toBeLessThanOrEqual(10)
      expect(limitsIn(headers)).toEqual(['50', '0', String(wait), '50;w=10, 5000;w=86400'])
    }
    const refused = answers.flatMap(({ status }, i) => (status === 429 ? [tokens[i]] : []))
    await until(async () => (await rows()) === 50, { description: 'the rows of those accepted' })
    expect(gateway.simulators.apns.received.filter(({ token }) => refused.includes(token))).toEqual([])
  })

  test('a window that is over makes room', async () => {
    const { call } = await givenLicensed(gateway)
    await times(60, () => call())
    await until(async () => (await call()).status === 202, { description: 'the next window' })
  })

  test('messages cannot eat what calls have, nor calls what messages have; to stop a ring is free', async () => {
    const { call, message } = await givenLicensed(gateway)
    expect(statuses(await times(120, () => message()))).toEqual({ 202: 100, 429: 20 })
    expect(statuses(await times(60, () => call()))).toEqual({ 202: 50, 429: 10 })
    expect((await message()).status).toBe(429)
    const cancelled = await times(5, () => call({ kind: 'cancel' }))
    expect(statuses(cancelled)).toEqual({ 202: 5 })
    expect(cancelled[0]?.headers.get('ratelimit-limit')).toBe('50')
  })

  test('one licence does not feel another', async () => {
    const [one, other] = [await givenLicensed(gateway), await givenLicensed(gateway)]
    await times(60, () => one.call())
    expect((await one.call()).status).toBe(429)
    expect((await other.call()).status).toBe(202)
    // Only the key that was checked counts: FlowPBX's gateway believed any header.
    const lie = { 'x-license-key': other.licenseKey }
    const body = {
      license_key: one.licenseKey,
      push_token: apnsToken(),
      push_platform: 'apns',
      call_id: callId(),
    }
    expect((await gateway.request('POST', '/v1/push', { body, headers: lie })).status).toBe(429)
  })

  test('every answer tells how things stand, also one that refuses something else', async () => {
    const { call, message, ring } = await givenLicensed(gateway)
    const first = await ring()
    expect(limitsIn(first.headers)).toEqual(['50', '49', '10', '50;w=10, 5000;w=86400'])
    const wrong = await call({ app_id: 'none' })
    expect([wrong.status, wrong.json.code]).toEqual([400, 'unknown_app'])
    expect(wrong.headers.get('ratelimit-remaining')).toBe('48')
    expect((await message()).headers.get('ratelimit-remaining')).toBe('99')
    expect(first.headers.get('x-license-warning')).toBeNull()
  })

  test('a daily quota ends a lane until midnight UTC, whatever the short window says', async () => {
    const { call, message, rows } = await givenLicensed(gateway, { callsPerDay: 5 })
    const answers = await times(8, () => call())
    expect(statuses(answers)).toEqual({ 202: 5, 429: 3 })
    const late = await call()
    expect(late.json).toMatchObject({ data: null, error: 'rate limit exceeded', code: 'quota_exceeded' })
    expect(late.json.hint).toMatch(
      /^this licence may push 5 calls a day: the next 5 at midnight UTC, in \d+ min$/,
    )
    const wait = Number(late.headers.get('retry-after'))
    const untilMidnight = (DAY - (Date.now() % DAY)) / SECOND
    expect(Math.abs(wait - untilMidnight)).toBeLessThan(60)
    expect(late.headers.get('ratelimit-policy')).toBe('50;w=10, 5;w=86400')
    expect(late.headers.get('ratelimit-limit')).toBe('5')
    expect((await call({ kind: 'cancel' })).status).toBe(202)
    expect((await message()).status).toBe(202)
    await until(async () => (await rows()) === 7, { description: 'the rows of those accepted' })
  })

  test('at 80 % of a day the owner is warned in each answer, and told once over all nodes', async () => {
    await using receiver = await startWebhookReceiver()
    const licensed = await givenLicensed(gateway, { messagesPerDay: 20 })
    const { message, owner, licenseId } = licensed
    expect((await owner('POST', '/v1/webhooks', { url: receiver.url })).status).toBe(201)
    for (let i = 0; i < 15; i += 1) {
      expect((await message({}, i % 2)).headers.get('x-license-warning')).toBeNull()
    }
    const warnings = () => metric('wakeline_quota_warnings_total{lane="messages"}')
    const before = await warnings()
    const warned = await times(4, (i) => message({}, i % 2))
    for (const { headers } of warned) {
      expect(headers.get('x-license-warning')).toMatch(/^QUOTA_80; lane=messages; used=1[6-9]; limit=20$/)
    }
    expect((await message()).headers.get('x-license-warning')).toContain('used=20')
    expect((await message()).json.code).toBe('quota_exceeded')
    await until(() => receiver.received.length > 0, { description: 'the owner is told' })
    const recorded = () =>
      gateway.context.db('license_events').where({ license_id: licenseId, action: 'quota_warning' })
    await until(async () => (await recorded()).length > 0, { description: 'the audit has it' })
    expect(await recorded()).toHaveLength(1)
    // Counted after the owner was told.
    await until(async () => (await warnings()) > before, { description: 'the warning is counted' })
    expect((await warnings()) - before).toBe(1)
    const [event] = receiver.received.map(({ body }) => JSON.parse(body))
    expect(event).toMatchObject({
      type: 'license.quota_warning',
      data: {
        license_id: licenseId,
        lane: 'messages',
        limit: 20,
        resets_at: expect.stringMatching(/T00:00:00/),
      },
    })
    expect(receiver.received).toHaveLength(1)
  })

  test('the warning stands beside the one that the licence has ended', async () => {
    const { call } = await givenLicensed(gateway, { callsPerDay: 1, expiresAt: Date.now() - DAY })
    const { status, headers } = await call()
    expect(status).toBe(202)
    expect(headers.get('x-license-warning')).toMatch(
      /^EXPIRED; until=\S+, QUOTA_80; lane=calls; used=1; limit=1$/,
    )
  })

  test('a device token takes 30 calls and 60 messages a minute, whatever the licence allows', async () => {
    const { call, message } = await givenLicensed(gateway, { tier: 'professional' })
    const [apns, fcm] = [apnsToken(), fcmToken()]
    const calls = await times(40, () => call({ push_token: apns }))
    expect(statuses(calls)).toEqual({ 202: 30, 429: 10 })
    const refused = calls.find(({ status }) => status === 429)
    expect(refused?.json).toMatchObject({
      error: 'rate limit exceeded',
      code: 'token_rate_limited',
      data: null,
    })
    expect(refused?.json.hint).toBe('a device token takes 30 calls a minute')
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await call()).status).toBe(202)
    expect((await call({ kind: 'cancel', push_token: apns })).status).toBe(202)
    expect(statuses(await times(70, () => message({ push_token: fcm })))).toEqual({ 202: 60, 429: 10 })
    const other = await givenLicensed(gateway, { tier: 'professional' })
    expect((await other.call({ push_token: apns })).status).toBe(202)
  })

  test('of a batch the first ones go, and the others are refused one by one', async () => {
    const { batch, rows } = await givenLicensed(gateway)
    const call = (id: string) => ({
      ...{ id, kind: 'call', push_platform: 'apns', push_token: apnsToken(), call_id: callId() },
    })
    const message = (id: string) => ({
      ...{ id, kind: 'message', push_platform: 'fcm', push_token: fcmToken(), message_id: id, text: 'Hi' },
    })
    const items = Array.from({ length: 140 }, (_, i) => (i % 2 ? message(`m${i}`) : call(`c${i}`)))
    const wrong = { id: 'wrong', kind: 'call', push_platform: 'apns' }
    const cancel = { ...call('stop'), kind: 'cancel' }
    const { status, json, headers } = await batch([wrong, ...items, cancel])
    expect(status).toBe(202)
    const results: { id: string; status: string; code?: string; hint?: string; retry_after?: number }[] =
      json.data.results
    const queued = results.filter((item) => item.status === 'queued').map(({ id }) => id)
    const firstCalls = items.filter(({ kind }) => kind === 'call').slice(0, 50)
    const messages = items.filter(({ kind }) => kind === 'message')
    expect(new Set(queued)).toEqual(new Set([...firstCalls, ...messages, cancel].map(({ id }) => id)))
    expect(json.data.accepted).toBe(121)
    expect(results[0]).toMatchObject({ id: 'wrong', status: 'refused', code: 'invalid_request' })
    const refused = results.filter((item) => item.code === 'rate_limited')
    expect(refused).toHaveLength(20)
    expect(refused[0]).toMatchObject({
      error: 'rate limit exceeded',
      hint: expect.stringContaining('50 calls'),
    })
    expect(refused[0]?.retry_after).toBeGreaterThan(0)
    // Of the lane that is nearer to its end.
    expect(headers.get('ratelimit-limit')).toBe('50')
    expect(headers.get('ratelimit-remaining')).toBe('0')
    await until(async () => (await rows()) === 121, { description: 'the rows of those accepted' })
  })

  test('what was refused is counted', async () => {
    const before = await metric('wakeline_pushes_refused_total{lane="calls",limit="burst"}')
    const { call } = await givenLicensed(gateway)
    await times(60, () => call())
    expect((await metric('wakeline_pushes_refused_total{lane="calls",limit="burst"}')) - before).toBe(10)
  })

  test('an extension rings for 30 new calls a minute; joining one is free, and others do not feel it', async () => {
    const { pbx } = await givenLicensed(gateway)
    for (const number of ['100', '200'])
      expect((await pbx('PUT', `/extensions/${number}`, {})).status).toBe(200)
    const start = (call_id: string, extension = '100') =>
      pbx('POST', '/calls', { call_id, extension, caller_id: '1' })
    const known = callId()
    expect((await start(known)).status).toBeLessThan(300)
    const joined = await times(40, () => start(known))
    expect(joined.every(({ status }) => status < 300)).toBe(true)
    const answers = await times(100, () => start(callId()))
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(100 - 29)
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.json).toMatchObject({
      code: 'rate_limited',
      hint: 'an extension takes 30 new calls a minute',
    })
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await start(known)).status).toBeLessThan(300)
    expect((await start(callId(), '200')).status).toBeLessThan(300)
    const other = await givenLicensed(gateway)
    await other.pbx('PUT', '/extensions/100', {})
    const theirs = { call_id: callId(), extension: '100', caller_id: '1' }
    expect((await other.pbx('POST', '/calls', theirs)).status).toBeLessThan(300)
  })

  test('webhooks are tested and told again 10 times a minute', async () => {
    await using receiver = await startWebhookReceiver()
    const { owner } = await givenLicensed(gateway)
    const { id } = (await owner('POST', '/v1/webhooks', { url: receiver.url })).json.data
    const tests = await times(9, () => owner('POST', `/v1/webhooks/${id}/test`))
    expect(statuses(tests)).toEqual({ 202: 9 })
    const again = `/v1/webhooks/${id}/deliveries/${tests[0]?.json.data.event_id}/redeliver`
    expect(statuses(await times(5, () => owner('POST', again)))).toEqual({ 202: 1, 429: 4 })
    const refused = await owner('POST', `/v1/webhooks/${id}/test`)
    expect([refused.status, refused.json.code]).toEqual([429, 'rate_limited'])
    expect((await owner('GET', '/v1/webhooks')).status).toBe(200)
  })
})

describe('wrong keys', () => {
  const noCall = '/calls/00000000-0000-4000-8000-000000000000'
  const wrongPbx = (gateway: TestGateway, headers: Record<string, string> = {}) =>
    gateway.request('GET', `/api/v1/pbx${noCall}`, {
      headers: { authorization: `Bearer wlpbx_${randomBytes(20).toString('hex')}`, ...headers },
    })
  const wrongLicense = (gateway: TestGateway, headers: Record<string, string> = {}) =>
    gateway.push({ license_key: randomBytes(16).toString('hex') }, { headers })

  test.each([
    ['PBX keys', wrongPbx, 401],
    ['licence keys', wrongLicense, 403],
  ] as const)(
    '%s: thousands find nothing and are stopped, and who is known goes on',
    async (_name, wrong, refused) => {
      await using gateway = await startTestGateway({ backend: 'redis', workers: false, patient: true })
      const async = { prefer: 'respond-async' }
      expect((await gateway.push({}, { headers: async })).status).toBe(202)
      expect((await gateway.pbx('GET', noCall)).status).toBe(404)
      const answers = []
      for (let i = 0; i < 100; i += 1) {
        // No proxy is in front, so what these say is nobody's.
        const forged = {
          'x-forwarded-for': `198.51.100.${i}`,
          forwarded: `for=198.51.100.${i}`,
          'x-real-ip': `198.51.100.${i}`,
        }
        answers.push(...(await times(20, () => wrong(gateway, forged))))
      }
      const counts = statuses(answers)
      // Those that were under way when the block began came through.
      expect(counts[refused]).toBeLessThan(61 + 20)
      expect((counts[refused] ?? 0) + (counts[429] ?? 0)).toBe(2_000)
      const stopped = await wrong(gateway)
      expect(stopped.json).toMatchObject({ data: null, error: 'rate limit exceeded', code: 'rate_limited' })
      expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await gateway.push({}, { headers: async })).status).toBe(202)
      expect((await gateway.pbx('GET', noCall)).status).toBe(404)
    },
  )

  test('behind a proxy each client is himself, by what the proxy says and not by what he says', async () => {
    await using gateway = await startTestGateway({
      patient: true,
      ...{ backend: 'postgres', workers: false },
      env: { TRUST_PROXY_HOPS: '1' },
    })
    const from = (client: string, lie: string) => ({ 'x-forwarded-for': `${lie}, ${client}` })
    for (let i = 0; i < 70; i += 1) await wrongPbx(gateway, from('203.0.113.9', `198.51.100.${i}`))
    expect((await wrongPbx(gateway, from('203.0.113.9', '192.0.2.1'))).status).toBe(429)
    expect((await wrongPbx(gateway, from('203.0.113.10', '192.0.2.1'))).status).toBe(401)
  })
})

test('with RATE_LIMITS=off nothing is refused or told, and all is written down', async () => {
  await using gateway = await startTestGateway({ backend: 'postgres', env: { RATE_LIMITS: 'off' } })
  const { call, owner } = await givenLicensed(gateway, { callsPerDay: 5 })
  const token = apnsToken()
  const answers = await times(70, () => call({ push_token: token }))
  expect(statuses(answers)).toEqual({ 202: 70 })
  expect(answers[0]?.headers.get('ratelimit-limit')).toBeNull()
  expect(answers[0]?.headers.get('x-license-warning')).toBeNull()
  expect((await owner('GET', '/v1/license/usage')).json.data.calls).toMatchObject({ used: 70, refused: 0 })
})
