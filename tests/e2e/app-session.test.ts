import { randomBytes } from 'node:crypto'
import { SIP_PASSWORD } from '../support/app-login.ts'
import { until } from '../support/conditions.ts'
import { installFlowpbxApp } from '../support/flowpbx-app.ts'
import { givenPbx } from '../support/flowpbx-people.ts'
import { apnsToken, BACKENDS, callId, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { wav } from '../support/recordings.ts'

/**
 * A day of an unmodified FlowPBX app, in the order of its requests: what its client sends and how it reads the answers stands in
 * tests/support/flowpbx-app.ts, written from the contract and sharing nothing with the server.
 */
describe.each(BACKENDS)('a day of an unmodified app on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const provision = (number: string, name: string) => givenPbx(gateway).extension(number, { name })

  test('login, push token, profile, voicemail, history, directory, calls; then the phone is somebody else’s', async () => {
    await provision('1001', 'Ada')
    await provision('1002', 'Grace')
    const pbx = givenPbx(gateway)
    await pbx.settings({ sip: { domain: 'pbx.example.com', tls_port: 5061 } })
    await pbx.change('1001', { follow_me_destinations: [{ number: '0170123', delay: 5, timeout: 20 }] })
    const recording = wav({ seconds: 2 })
    await pbx.message('1001', recording, { caller_id_num: '0301234567' })
    await pbx.message('1002')
    const calls = Array.from({ length: 60 }, (_, i) => ({
      call_id: callId(),
      start_time: new Date(Date.UTC(2026, 10, 1, 8, i)).toISOString(),
      caller_id_num: i % 2 ? '1001' : '0309999',
      callee: i % 2 ? '0309999' : '1001',
      direction: i % 2 ? 'outbound' : 'inbound',
      disposition: 'no_answer',
    }))
    await pbx.calls(calls)

    // The server's address as a person types it, with a slash at its end.
    const app = installFlowpbxApp(`${gateway.url}/`)
    await expect(app.logIn('1001', 'wrong')).rejects.toThrow('401 invalid credentials')
    const login = await app.logIn('1001', SIP_PASSWORD)
    expect(login).toMatchObject({
      name: 'Ada',
      sip: {
        domain: 'pbx.example.com',
        tlsPort: 5061,
        username: '1001',
        password: SIP_PASSWORD,
        transport: 'tls',
      },
    })
    expect(login.expiresAt).toBeGreaterThan(Date.now() + 6.9 * 24 * 3_600_000)

    const pushToken = apnsToken()
    expect(await app.sendPushToken(pushToken, 'apns')).toEqual({ status: 'ok' })
    expect(await app.me()).toMatchObject({ extension: '1001', dnd: false, followMeNumbers: ['0170123'] })

    const [message, ...others] = await app.voicemail()
    expect(others).toEqual([])
    expect(message).toMatchObject({ read: false, duration: 2, callerNumber: '0301234567' })
    const id = message?.id ?? 0
    expect(await app.play(id, 'bytes=0-1')).toMatchObject({
      status: 206,
      type: 'audio/wav',
      range: `bytes 0-1/${recording.length}`,
      bytes: recording.subarray(0, 2),
    })
    expect((await app.play(id)).bytes.equals(recording)).toBe(true)
    // A request with a content type and no body at all.
    await app.markRead(id)
    expect(await app.voicemail()).toMatchObject([{ read: true, readAt: expect.any(Number) }])

    const seen: string[] = []
    for (let total = Number.POSITIVE_INFINITY; seen.length < total; ) {
      const page = await app.history(seen.length)
      expect(page.items.length).toBeGreaterThan(0)
      seen.push(...page.items.map((call) => call.callId))
      total = page.total
    }
    expect(seen).toEqual(calls.map(({ call_id }) => call_id).reverse())
    expect(await app.directory()).toMatchObject([
      { extension: '1001', name: 'Ada', online: false },
      { extension: '1002', name: 'Grace', online: false },
    ])

    // A call wakes the phone; with DND it does not.
    const rings = () => gateway.simulators.apns.received.filter(({ token }) => token === pushToken).length
    expect((await gateway.call('1001', { wait: 1 })).json.data.outcome).toBe('timeout')
    await until(() => rings() > 0, { description: 'the phone was rung' })
    expect(rings()).toBe(1)
    expect((await app.setDnd(true)).dnd).toBe(true)
    expect((await gateway.call('1001', { wait: 1 })).json.data.outcome).toBe('dnd')
    expect((await app.setDnd(false)).dnd).toBe(false)
    expect((await app.setFollowMe(true)).followMeEnabled).toBe(true)

    // Nothing is said at a logout; whoever logs in next on the phone takes it along.
    app.logOut()
    await app.logIn('1002', SIP_PASSWORD)
    await app.sendPushToken(pushToken, 'apns')
    expect((await gateway.call('1001', { wait: 1 })).json.data.outcome).toBe('no_device')
    expect((await gateway.call('1002', { wait: 1 })).json.data.outcome).toBe('timeout')
    await until(() => rings() > 1, { description: 'the phone was rung again' })
    expect(rings()).toBe(2)
    // What is not hers is not there, and she stays logged in.
    await expect(app.markRead(id)).rejects.toThrow('404 voicemail message not found')
    expect((await app.play(id)).status).toBe(404)
    expect(app.isLoggedIn()).toBe(true)
    expect(await app.voicemail()).toHaveLength(1)
  })

  test('a long token of Google, another server’s token, and one that has ended', async () => {
    await provision('1003', 'Edsger')
    const app = installFlowpbxApp(gateway.url)
    await app.logIn('1003', SIP_PASSWORD)
    expect(await app.sendPushToken(randomBytes(2_048).toString('hex'), 'fcm')).toEqual({ status: 'ok' })
    // Only a bad token logs a person out.
    app.rememberToken('e30.e30.e30')
    await expect(app.me()).rejects.toThrow('401 invalid or expired token')
    expect(app.isLoggedIn()).toBe(false)
    await expect(app.me()).rejects.toThrow('401 authentication required')
  })
})
