import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS, callId, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** Since later than any registration, however long the tests before took. */
const dead = () => ({ status: 410, reason: 'Unregistered', timestamp: Date.now() + 60_000 })

describe.each(BACKENDS)('a held call on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2, terms: { maxExtensions: 2_000 } })
  })
  afterAll(async () => {
    expect(gateway.phoneErrors).toEqual([])
    await gateway[Symbol.asyncDispose]()
  })
  const pushesTo = (token: string) => gateway.simulators.apns.received.filter((push) => push.token === token)
  const desk = { contact: '<sip:desk@10.0.0.9:5060;transport=udp>' }
  const held = () => gateway.nodes.reduce((sum, { context }) => sum + context.hold.waiting(), 0)
  const register = (extension: string, body: object, base = gateway.url) =>
    gateway.pbx('POST', '/registrations', { body: { extension, ...body }, base })

  test('is released when the phone it woke has registered', async () => {
    const phone = await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 50 } })
    const answer = await gateway.call('100')

    expect(answer.status).toBe(200)
    expect(answer.json.data).toMatchObject({ outcome: 'registered', status: 'ended', extension: '100' })
    expect(answer.json.data.contacts[0]).toMatchObject({ device_id: phone.deviceId })
    expect(answer.json.data.contacts[0].contact).toContain('sip:100@')
    expect(answer.json.data.waited_ms).toBeGreaterThanOrEqual(45)
    expect(answer.json.data.waited_ms).toBeLessThan(2_000)
    expect(pushesTo(phone.token)).toHaveLength(1)
  })

  test('is released by a registration in the millisecond in which the push arrives', async () => {
    await gateway.givenPhone({ extension: '101', behaviour: { registersAfterMs: 0 } })
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.call('101')))
    // The first registration answers the calls that began before it, or within the second after it.
    expect(answers.map(({ json }) => json.data.outcome)).toEqual(Array(20).fill('registered'))
    for (const { json } of answers) expect(json.data.waited_ms).toBeLessThan(2_000)
  })

  test('is released by a registration that came while the call was being set up', async () => {
    const phone = await gateway.givenPhone({ extension: '102', behaviour: { registersAfterMs: 'never' } })
    await register('102', { device_id: phone.deviceId })
    const answer = await gateway.call('102')
    expect(answer.json.data.outcome).toBe('registered')
    expect(pushesTo(phone.token)).toEqual([])
  })

  test('is not released by a registration from before the call', async () => {
    const phone = await gateway.givenPhone({ extension: '103', behaviour: { registersAfterMs: 'never' } })
    const { context } = gateway
    const [token] = (await context.phones.find(gateway.tenant.tenantId, '103'))?.tokens ?? []
    // As if it had been reported 2 s ago; a test does not wait for time to pass.
    await gateway.registeredEarlier('103', token?.deviceId ?? '', 2_000)
    const answer = await gateway.call('103', { wait: 1 })
    expect(answer.json.data.outcome).toBe('timeout')
    await until(() => pushesTo(phone.token).length > 0, { description: 'the phone was rung' })
    expect(pushesTo(phone.token)).toHaveLength(1)
  })

  test('ends at the deadline when no phone comes, and sends the caller on', async () => {
    await gateway.givenPhone({ extension: '104', behaviour: { registersAfterMs: 'never' } })
    const begin = performance.now()
    const answer = await gateway.call('104', { wait: 2 })
    const took = performance.now() - begin
    expect(answer.json.data).toMatchObject({ outcome: 'timeout', fallback: 'voicemail' })
    expect(answer.json.data.pushes).toMatchObject([{ status: 'delivered' }])
    // Timers count from the beginning of the turn that sets them, so a busy one rings early.
    expect(took).toBeGreaterThanOrEqual(1_900)
    expect(took).toBeLessThan(6_000)
  })

  test('is not released by a desk phone of the same extension', async () => {
    await gateway.givenPhone({ extension: '105', behaviour: { registersAfterMs: 'never' } })
    const call = gateway.call('105', { wait: 1 })
    await until(() => held() > 0, { description: 'the call is held' })
    const report = await register('105', desk)
    expect(report.json.data).toEqual({ status: 'ok', counts: false })
    expect((await call).json.data.outcome).toBe('timeout')
  })

  test('is released by a mobile contact that only the PBX can tell apart', async () => {
    await gateway.givenPhone({ extension: '106', behaviour: { registersAfterMs: 'never' } })
    const call = gateway.call('106')
    await until(() => held() > 0, { description: 'the call is held' })
    await register('106', { ...desk, mobile: true })
    expect((await call).json.data).toMatchObject({ outcome: 'registered', contacts: [desk] })
  })

  test('is released on node A by a registration reported to node B', async () => {
    const took: number[] = []
    for (const extension of ['107', '1071', '1072']) {
      const phone = await gateway.givenPhone({ extension, behaviour: { registersAfterMs: 'never' } })
      const call = gateway.call(extension, { base: gateway.nodes[0]?.url ?? '' })
      await until(() => pushesTo(phone.token).length > 0, { description: 'the push has gone out' })
      const begin = performance.now()
      await register(extension, { device_id: phone.deviceId }, gateway.nodes[1]?.url)
      expect((await call).json.data.outcome).toBe('registered')
      took.push(performance.now() - begin)
    }
    // Told, and not found when the state is looked at once a second. A busy machine is slow, but not each time.
    expect(Math.min(...took)).toBeLessThan(900)
  })

  test('ends at once when every token is dead, and the tokens are not used again', async () => {
    const phone = await gateway.givenPhone({ extension: '108', behaviour: { registersAfterMs: 'never' } })
    gateway.simulators.apns.behaves(phone.token, dead())
    const first = await gateway.call('108')
    expect(first.json.data).toMatchObject({ outcome: 'unreachable', fallback: 'voicemail' })
    expect(first.json.data.pushes).toMatchObject([{ status: 'token_dead', reason: 'Unregistered' }])
    // The hold would have lasted 5 s.
    expect(first.json.data.waited_ms).toBeLessThan(4_000)

    const second = await gateway.call('108')
    expect(second.json.data.outcome).toBe('no_device')
    expect(pushesTo(phone.token)).toHaveLength(1)
  })

  test('waits on when one token is dead and another phone may still come', async () => {
    const gone = await gateway.givenPhone({ extension: '109', behaviour: { registersAfterMs: 'never' } })
    gateway.simulators.apns.behaves(gone.token, dead())
    await gateway.givenPhone({ extension: '109', platform: 'fcm', behaviour: { registersAfterMs: 150 } })
    const answer = await gateway.call('109')
    expect(answer.json.data.outcome).toBe('registered')
    expect(answer.json.data.pushes.map(({ status }: { status: string }) => status).sort()).toEqual([
      'delivered',
      'token_dead',
    ])
  })

  test('does not ring an extension that does not want to be disturbed', async () => {
    const phone = await gateway.givenPhone({ extension: '110' })
    await gateway.pbx('PUT', '/extensions/110', { body: { dnd: true } })
    const answer = await gateway.call('110')
    expect(answer.json.data.outcome).toBe('dnd')
    expect(pushesTo(phone.token)).toEqual([])
  })

  test('says when the extension has no phone, and when there is no such extension', async () => {
    await gateway.pbx('PUT', '/extensions/111', { body: {} })
    expect((await gateway.call('111')).json.data.outcome).toBe('no_device')
    const unknown = await gateway.call('999')
    expect(unknown.status).toBe(404)
    expect(unknown.json).toMatchObject({
      data: null,
      error: 'extension not found',
      code: 'unknown_extension',
    })
  })

  test.each(['cancelled', 'declined'] as const)('ends when the call is %s', async (outcome) => {
    const extension = outcome === 'cancelled' ? '112' : '113'
    await gateway.givenPhone({ extension, behaviour: { registersAfterMs: 'never' } })
    const call_id = callId()
    const call = gateway.call(extension, { body: { call_id } })
    await until(() => held() > 0, { description: 'the call is held' })
    const started = await gateway.pbx('POST', '/calls', { body: { call_id, extension } })
    expect(started.status).toBe(202)
    const { id } = started.json.data
    // The other node ends it.
    const options = { base: gateway.nodes[1]?.url ?? '' }
    await (outcome === 'cancelled'
      ? gateway.pbx('DELETE', `/calls/${id}`, options)
      : gateway.pbx('POST', `/calls/${id}/decline`, options))
    expect((await call).json.data.outcome).toBe(outcome)
    expect((await gateway.pbx('GET', `/calls/${id}`)).json.data.outcome).toBe(outcome)
  })

  test('frees its waiter when the caller hangs up the request', async () => {
    await gateway.givenPhone({ extension: '114', behaviour: { registersAfterMs: 'never' } })
    await until(() => held() === 0, { description: 'no call is held' })
    const controller = new AbortController()
    const call = gateway.call('114', { wait: 20, signal: controller.signal })
    await until(() => held() === 1, { description: 'the call is held' })
    controller.abort()
    await expect(call).rejects.toThrow()
    await until(() => held() === 0, { description: 'the waiter is gone' })
  })

  test('is one call however often it is asked for: one push, one outcome', async () => {
    const phone = await gateway.givenPhone({ extension: '115', behaviour: { registersAfterMs: 100 } })
    const body = { call_id: callId() }
    const urls = gateway.nodes.map(({ url }) => url)
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => gateway.call('115', { body, base: urls[i % urls.length] ?? '' })),
    )
    expect(new Set(answers.map(({ json }) => json.data.id)).size).toBe(1)
    expect(answers.map(({ json }) => json.data.outcome)).toEqual(Array(10).fill('registered'))
    expect(pushesTo(phone.token)).toHaveLength(1)
  })

  test('goes on without a hold and is fetched by long-poll', async () => {
    await gateway.givenPhone({ extension: '116', behaviour: { registersAfterMs: 100 } })
    const started = await gateway.pbx('POST', '/calls', { body: { call_id: callId(), extension: '116' } })
    expect(started.status).toBe(202)
    expect(started.json.data.outcome).toBeUndefined()
    const path = (started.headers.get('location') ?? '').replace('/api/v1/pbx', '')
    const polled = await gateway.pbx('GET', path, { headers: { prefer: 'wait=5' } })
    expect(polled.status).toBe(200)
    expect(polled.json.data.outcome).toBe('registered')
  })

  test('tells a PBX that forks late each phone as it becomes ready, and the end', async () => {
    const soon = await gateway.givenPhone({ extension: '120', behaviour: { registersAfterMs: 20 } })
    const later = await gateway.givenPhone({
      extension: '120',
      platform: 'fcm',
      behaviour: { registersAfterMs: 300 },
    })
    const started = await gateway.pbx('POST', '/calls', {
      body: { call_id: callId(), extension: '120', ttl: 5 },
    })
    const { id } = started.json.data
    // The other node tells it.
    const heard = await gateway.pbx('GET', `/calls/${id}/events`, { base: gateway.nodes[1]?.url ?? '' })
    expect(heard.headers.get('content-type')).toBe('text/event-stream')
    const events = [...heard.text.matchAll(/^event: (\w+)\ndata: (.+)\n$/gm)].map(([, event, data]) => ({
      event,
      ...JSON.parse(data ?? ''),
    }))
    expect(events).toMatchObject([
      { event: 'device_ready', device_id: soon.deviceId },
      { event: 'device_ready', device_id: later.deviceId },
      { event: 'ended', outcome: 'registered' },
    ])
    expect((await gateway.pbx('GET', `/calls/${callId()}/events`)).status).toBe(400)
  })

  test('tells the end at once when the call is cancelled, and frees the stream when nobody listens', async () => {
    await gateway.givenPhone({ extension: '121', behaviour: { registersAfterMs: 'never' } })
    const start = async () =>
      (await gateway.pbx('POST', '/calls', { body: { call_id: callId(), extension: '121', ttl: 60 } })).json
        .data.id
    const id = await start()
    const listening = gateway.pbx('GET', `/calls/${id}/events`)
    await until(() => held() === 1, { description: 'the stream is open' })
    await gateway.pbx('DELETE', `/calls/${id}`)
    expect((await listening).text).toBe('event: ended\ndata: {"outcome":"cancelled"}\n\n')

    const controller = new AbortController()
    const left = gateway.pbx('GET', `/calls/${await start()}/events`, { signal: controller.signal })
    await until(() => held() === 1, { description: 'the stream is open' })
    controller.abort()
    await expect(left).rejects.toThrow()
    await until(() => held() === 0, { description: 'the stream is gone' })
  })

  test.each(['wait=0', 'wait=abc', 'wait'])(
    'with Prefer: %s neither hangs nor ends the call at once',
    async (prefer) => {
      const extension = `122-${prefer.length}`
      await gateway.givenPhone({ extension, behaviour: { registersAfterMs: 50 } })
      const started = await gateway.pbx('POST', '/calls', {
        body: { call_id: callId(), extension },
        headers: { prefer },
      })
      // Without a usable number `wait` means the usual hold.
      expect(started.json.data.outcome).toBe(prefer === 'wait=0' ? undefined : 'registered')
      const path = `/calls/${started.json.data.id}`
      const ended = await gateway.pbx('GET', path, { headers: { prefer: 'wait=5' } })
      expect(ended.json.data.outcome).toBe('registered')
    },
  )

  test('answers a dialplan in one line of text', async () => {
    await gateway.givenPhone({ extension: '117', behaviour: { registersAfterMs: 10 } })
    const good = await gateway.call('117', { headers: { accept: 'text/plain' } })
    expect(good.headers.get('content-type')).toContain('text/plain')
    expect(good.text).toMatch(/^registered \d+ <sip:117@[^\n]+\n$/)
    const bad = await gateway.call('999', { headers: { accept: 'text/plain' } })
    expect(bad.text).toBe('error unknown_extension extension not found\n')
  })

  test('belongs to its tenant: another one cannot see or end it', async () => {
    const started = await gateway.call('104', { wait: 1 })
    const other = await gateway.otherTenant()
    const { id } = started.json.data
    const headers = { authorization: `Bearer ${other.pbxKey}` }
    expect((await gateway.pbx('GET', `/calls/${id}`, { headers })).status).toBe(404)
    expect((await gateway.pbx('DELETE', `/calls/${id}`, { headers })).status).toBe(404)
    expect(
      (await gateway.pbx('POST', '/calls', { headers, body: { call_id: 'x', extension: '104' } })).status,
    ).toBe(404)
  })

  test('holds a thousand calls at once and releases each by its own phone', async () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `5${String(i).padStart(4, '0')}`)
    await gateway.givenSilentPhones(many)
    const calls = many.map((extension) => gateway.call(extension, { wait: 30 }))
    await until(() => held() === 1_000, { timeoutMs: 20_000, description: 'a thousand calls are held' })
    // A machine that is short of everything answers some of them with 503, and a registrar says those again.
    const release = (extension: string) =>
      until(
        async () => {
          const { status, json } = await register(extension, { device_id: `phone-${extension}` })
          if (status === 503) return undefined
          expect([status, json.data]).toEqual([200, { status: 'ok', counts: true }])
          return true
        },
        { timeoutMs: 25_000, description: `${extension} is released` },
      )
    await Promise.all(many.map(release))
    const answers = await Promise.all(calls)
    expect(answers.filter(({ json }) => json.data.outcome !== 'registered')).toEqual([])
    const own = answers.every(
      ({ json }) => json.data.contacts[0].device_id === `phone-${json.data.extension}`,
    )
    expect(own).toBe(true)
    expect(held()).toBe(0)
  }, 90_000)

  test('moves a token to the extension that registered it last', async () => {
    const token = apnsToken()
    const first = await gateway.givenPhone({
      extension: '118',
      token,
      behaviour: { registersAfterMs: 'never' },
    })
    await gateway.givenPhone({ extension: '119', token, behaviour: { registersAfterMs: 10 } })
    expect((await gateway.call('118')).json.data.outcome).toBe('no_device')
    expect((await gateway.call('119')).json.data.outcome).toBe('registered')
    expect(first.rang).toEqual([])
  })
})
