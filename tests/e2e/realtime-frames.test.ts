import { newId } from '../../src/lib/ids.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, callId, startTestGateway } from '../support/gateway.ts'
import { connectSocket } from '../support/socket-client.ts'
import { givenDirect, givenGroup, givenPerson, type Person, sayIn } from '../support/socket-people.ts'

/** Word of who has come or gone goes over two nodes within the delay of presence. */
const FAST = { helloMs: 20, presenceDelayMs: 500, presenceRefreshMs: 2_000, checkSessionsMs: 200 }

describe.each(BACKENDS)('what is said over sockets on %s', (backend) => {
  let gateway: Awaited<ReturnType<typeof startTestGateway>>
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2, realtimeSettings: FAST, workers: ['calls'] })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  const url = (node = 0): string => gateway.nodes[node]?.url ?? ''
  const person = (number = newId()) => givenPerson(gateway, number)
  const open = async (who: Person, node = 0) => {
    const socket = await connectSocket(url(node), who)
    await socket.next('ready')
    return socket
  }

  test('nonsense is told as that, and ten times is enough', async () => {
    const socket = await open(await person())
    const nonsense = [
      '{',
      '[]',
      '"x"',
      'null',
      '{}',
      '{"type":1}',
      '{"type":"constructor"}',
      '{"type":"ack"}',
    ]
    for (const frame of nonsense) socket.say(frame)
    await until(() => socket.ofType('error').length === nonsense.length, { description: 'all is refused' })
    expect(new Set(socket.ofType('error').map(({ payload }) => payload.code))).toEqual(
      new Set(['malformed_json', 'unknown_type', 'invalid_request']),
    )
    expect(await socket.ask('ping')).toMatchObject({ type: 'ok' })
    expect(await socket.ask('no.such.type')).toMatchObject({
      type: 'error',
      payload: { code: 'unknown_type' },
    })
    socket.ws.send(Buffer.from([1, 2, 3]))
    expect((await socket.closed()).code).toBe(1008)
  })

  test('fields may stand beside the type, and a frame without an id has no answer but an error', async () => {
    const [ada, bob] = [await person(), await person()]
    const conversationId = await givenDirect(gateway.context, ada, bob)
    const socket = await open(ada)
    socket.say({ type: 'message.send', conversationId, clientId: 'a', content: 'flat' })
    expect((await socket.next('message.created')).payload.message.content).toBe('flat')
    expect((await socket.next('ok')).payload.message.clientId).toBe('a')
    socket.say({ type: 'ack', seq: 1 })
    socket.say({ type: 'typing', conversationId: newId() })
    expect((await socket.next('error')).payload.code).toBe('unknown_conversation')
    expect(socket.ofType('ok')).toHaveLength(1)
    for (const content of ['', 'a\0b', 'x'.repeat(8_001)]) {
      const answer = await socket.ask('message.send', { conversationId, clientId: 'b', content })
      expect(answer.payload.code).toBe('invalid_request')
    }
    const reused = await socket.ask('message.send', { conversationId, clientId: 'a', content: 'other' })
    expect(reused.payload.code).toBe('client_id_reused')
    await socket.close()
  })

  test('what a socket says is done in its order', async () => {
    const [ada, bob] = [await person(), await person()]
    const conversationId = await givenDirect(gateway.context, ada, bob)
    const socket = await open(bob)
    for (let i = 0; i < 40; i += 1)
      socket.say({ type: 'message.send', conversationId, clientId: `c${i}`, content: `m${i}` })
    await until(() => socket.ofType('message.created').length === 40, { description: 'all are told' })
    expect(socket.ofType('message.created').map(({ payload }) => payload.message.content)).toEqual(
      Array.from({ length: 40 }, (_, i) => `m${i}`),
    )
    await socket.close()
  })

  test('too many frames and too large ones end the socket', async () => {
    const ada = await person()
    const [fast, large] = [await open(ada), await open(ada)]
    for (let i = 0; i < 200; i += 1) fast.say({ type: 'ping' })
    expect((await fast.closed()).code).toBe(1008)
    expect(fast.ofType('error').at(-1)?.payload.code).toBe('rate_limited')
    large.say({ type: 'ping', payload: 'x'.repeat(70_000) })
    expect((await large.closed()).code).toBe(1009)
  })

  test('who types is seen by the others, and not too often', async () => {
    const [ada, bob, eve] = [await person(), await person(), await person()]
    const conversationId = await givenDirect(gateway.context, ada, bob)
    const [mine, his, hers] = [await open(ada), await open(bob, 1), await open(eve, 1)]
    // At once, because after 2 s it would be said again.
    const typing = [true, true, true, true, true, false, true]
    await Promise.all(typing.map((isTyping) => mine.ask('typing', { conversationId, isTyping })))
    const stopped = await his.next('typing', ({ payload }) => !payload.isTyping)
    expect(stopped.payload).toMatchObject({ conversationId, extension: ada.extension })
    expect(his.ofType('typing').map(({ payload }) => payload.isTyping)).toEqual([true, false])
    expect((await hers.ask('typing', { conversationId })).payload.code).toBe('unknown_conversation')
    expect([...mine.ofType('typing'), ...hers.ofType('typing')]).toEqual([])
    await Promise.all([mine, his, hers].map((socket) => socket.close()))
  })

  test('who comes and goes is told to those who talk with him, over all nodes', async () => {
    const [ada, bob] = [await person(), await person()]
    await givenDirect(gateway.context, ada, bob)
    const mine = await open(ada)
    const told = () => mine.ofType('user.presence').map(({ payload }) => payload.status)
    const [first, second] = [await open(bob), await open(bob, 1)]
    const online = await mine.next('user.presence')
    expect(online.payload).toEqual({ userId: expect.any(String), extension: bob.extension, status: 'online' })
    await first.close()
    // Still there on the other node.
    const later = await open(await person())
    const seen = async () => {
      const { payload } = await later.ask('presence.subscribe', { userIds: [online.payload.userId] })
      return payload.users[0]?.status === 'online' ? payload.users : undefined
    }
    expect(await until(seen, { description: 'he is seen there' })).toEqual([online.payload])
    expect(told()).toEqual(['online'])
    await second.close()
    await mine.next('user.presence', ({ payload }) => payload.status === 'offline')
    await later.next('user.presence', ({ payload }) => payload.status === 'offline')
    expect(told()).toEqual(['online', 'offline'])
    await Promise.all([mine.close(), later.close()])
  })

  test('nobody learns who is there of another PBX', async () => {
    const bob = await person()
    await givenDirect(gateway.context, bob, await person())
    const his = await open(bob)
    const { userId } = (await his.next('ready')).payload
    const { tenantId } = await gateway.otherTenant()
    const stranger = await givenPerson(gateway, newId(), { tenantId })
    const socket = await open(stranger)
    expect((await socket.ask('presence.subscribe', { userIds: [userId] })).payload).toEqual({ users: [] })
    await Promise.all([his.close(), socket.close()])
  })

  test('a call is told when a phone is ready for it and when it has ended', async () => {
    const { extension, deviceId } = await gateway.givenPhone({ extension: newId() })
    const sockets = [await open(await person(extension)), await open(await person(extension), 1)]
    const stranger = await open(await person())
    const id = callId()
    const call = await gateway.call(extension, { body: { call_id: id } })
    expect(call.json.data.outcome).toBe('registered')
    for (const socket of sockets)
      expect((await socket.next('call.ready')).payload).toEqual({ callId: id, deviceId })
    const ended = await gateway.pbx('DELETE', `/calls/${call.json.data.id}`)
    expect(ended.status).toBe(200)
    await gateway.pbx('DELETE', `/calls/${call.json.data.id}`)
    for (const socket of sockets)
      expect((await socket.next('call.cancelled')).payload).toEqual({ callId: id, cause: 'cancelled' })
    for (const socket of sockets) await socket.ask('ping')
    expect(sockets.flatMap((socket) => socket.ofType('call.cancelled'))).toHaveLength(2)
    expect(stranger.frames.filter(({ type }) => type.startsWith('call.'))).toEqual([])
    await Promise.all([...sockets, stranger].map((socket) => socket.close()))
  })

  test('a token can be renewed before it ends, and ends the socket if it is not', async () => {
    const ada = await person()
    const shortly = () => gateway.context.signAppToken(ada, 6_000)
    const authorization = `Bearer ${(await shortly()).token}`
    const [kept, lost] = await Promise.all([1, 2].map(() => connectSocket(url(), { authorization })))
    if (!kept || !lost) throw new Error('there are two')
    const { expiresAt } = (await kept.next('auth.expiring')).payload
    expect(Date.parse(expiresAt)).toBeLessThan(Date.now() + 6_000)
    const stranger = (await person()).authorization.slice(7)
    expect((await kept.ask('auth', { token: stranger })).payload.code).toBe('invalid_token')
    expect((await kept.ask('auth', { token: 'x' })).payload.code).toBe('invalid_token')
    expect(await kept.ask('auth', { token: ada.authorization.slice(7) })).toMatchObject({ type: 'ok' })
    expect((await lost.closed()).code).toBe(4401)
    expect(await kept.ask('ping')).toMatchObject({ type: 'ok' })
    await kept.close()
  })

  test('an app in the foreground is known as that until it leaves', async () => {
    const ada = await person()
    const [device] = (await ada.get('/api/v1/app/devices')).json.data
    const socket = await open(ada)
    const attentive = async () => (await gateway.context.attention.attentive([device.id])).size
    await socket.ask('app.state', { state: 'foreground' })
    expect(await attentive()).toBe(1)
    await socket.ask('app.state', { state: 'background' })
    expect(await attentive()).toBe(0)
    await socket.ask('app.state', { state: 'foreground' })
    expect(await attentive()).toBe(1)
    await socket.close()
    await until(async () => (await attentive()) === 0, {
      description: 'its app is not before his eyes any more',
    })
  })

  test('a phone acknowledges for itself, also many times at once', async () => {
    const [ada, bob] = [await person(), await person()]
    const conversationId = await givenGroup(gateway.context, ada, [bob])
    const his = await open(bob)
    for (let i = 0; i < 5; i += 1) await sayIn(gateway.context, ada, conversationId)
    await until(() => his.seqs().length === 5, { description: 'all are there' })
    await Promise.all(his.seqs().map((seq) => his.ask('ack', { seq })))
    const [device] = (await bob.get('/api/v1/app/devices')).json.data
    const acked = await gateway.context.db('device_acks').first('seq').where({ device_id: device.id })
    expect(acked.seq).toBe(his.seqs().at(-1))
    await his.close()
  })

  test('a phone that registers later acknowledges from then on', async () => {
    const [ada, bob] = [await person(), await person()]
    const conversationId = await givenDirect(gateway.context, ada, bob)
    const key = bob.deviceKey
    await gateway.context.db('app_sessions').where({ id: bob.sessionId }).update({ device_key: null })
    const his = await open(bob)
    await gateway.context.db('app_sessions').where({ id: bob.sessionId }).update({ device_key: key })
    const { message } = await sayIn(gateway.context, ada, conversationId)
    const { seq } = await his.next('message.created')
    const acked = async () => {
      await his.ask('message.delivered', { messageId: message.id })
      return gateway.context.db('device_acks').where({ extension_id: bob.extensionId, seq }).first('seq')
    }
    await until(acked, { description: 'the phone has acknowledged' })
    await his.close()
  })
})

describe.each(BACKENDS)('a stop on %s', (backend) => {
  test('sends everybody away to come back later, and does not wait for who stays', async () => {
    await using gateway = await startTestGateway({
      backend,
      nodes: 2,
      realtimeSettings: FAST,
      workers: false,
    })
    const [one, two] = gateway.nodes
    if (!one || !two) throw new Error('there are two nodes')
    const [ada, bob] = [await givenPerson(gateway, newId()), await givenPerson(gateway, newId())]
    await givenDirect(gateway.context, ada, bob)
    const [polite, stubborn, other] = [
      await connectSocket(two.url, ada),
      await connectSocket(two.url, ada),
      await connectSocket(one.url, bob),
    ]
    await Promise.all([polite, stubborn, other].map((socket) => socket.next('ready')))
    await other.next('user.presence')
    stubborn.ws.pause()
    const begin = performance.now()
    await two.stop()
    expect(performance.now() - begin).toBeLessThan(5_000)
    expect(await polite.closed()).toMatchObject({ code: 1012 })
    const { afterMs } = (await polite.next('reconnect')).payload
    expect(afterMs).toBeGreaterThanOrEqual(500)
    await expect(connectSocket(two.url, ada)).rejects.toThrow()
    await other.next('user.presence', ({ payload }) => payload.status === 'offline')
    expect(other.isClosed()).toBe(false)
    stubborn.ws.terminate()
    await other.close()
  })
})
