import { newId } from '../../src/lib/ids.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'
import { connectSocket, refusedSocket } from '../support/socket-client.ts'
import { givenDirect, givenPerson, sayIn } from '../support/socket-people.ts'

describe.each(BACKENDS)('/ws on %s', (backend) => {
  let gateway: Awaited<ReturnType<typeof startTestGateway>>
  beforeAll(async () => {
    gateway = await startTestGateway({
      backend,
      nodes: 2,
      realtimeSettings: { helloMs: 20, checkSessionsMs: 100 },
    })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  const urls = () => gateway.nodes.map(({ url }) => url) as [string, string]

  test('what one says comes to all phones of both, on every node', async () => {
    const [one, two] = urls()
    const ada = await givenPerson(gateway, newId())
    const bob = await givenPerson(gateway, newId())
    const conversationId = await givenDirect(gateway.context, ada, bob)
    const sockets = await Promise.all([
      connectSocket(one, ada),
      connectSocket(two, ada),
      connectSocket(one, bob),
      connectSocket(two, bob),
    ])
    const [first] = sockets
    await Promise.all(sockets.map((socket) => socket.next('ready')))
    const clientId = newId()
    const answer = await first.ask('message.send', { conversationId, clientId, content: 'Are you coming?' })
    expect(answer).toMatchObject({ type: 'ok', payload: { message: { clientId, seq: 1, kind: 'text' } } })
    for (const socket of sockets) {
      const created = await socket.next('message.created')
      expect(created.payload.message).toEqual(answer.payload.message)
      expect(created).toMatchObject({ seq: 2, cursor: expect.any(String) })
    }
    const again = await first.ask('message.send', { conversationId, clientId, content: 'Are you coming?' })
    expect(again.payload).toEqual(answer.payload)
    for (const socket of sockets) await socket.close()
  })

  test('who reads and has got something is told to who has said it', async () => {
    const [one, two] = urls()
    const ada = await givenPerson(gateway, newId())
    const bob = await givenPerson(gateway, newId())
    const conversationId = await givenDirect(gateway.context, ada, bob)
    const [mine, his] = await Promise.all([connectSocket(one, ada), connectSocket(two, bob)])
    const { message } = await sayIn(gateway.context, ada, conversationId)
    await his.next('message.created')
    expect(await his.ask('message.delivered', { messageId: message.id })).toMatchObject({ type: 'ok' })
    const receipt = { conversationId, extension: bob.extension, messageId: message.id, upToSeq: 1 }
    expect((await mine.next('message.delivered')).payload).toMatchObject({
      ...receipt,
      deliveredAt: expect.any(String),
    })
    expect(await his.ask('message.read', { messageId: message.id })).toMatchObject({ type: 'ok' })
    expect((await mine.next('message.read')).payload).toMatchObject({
      ...receipt,
      readAt: expect.any(String),
    })
    expect(await his.ask('message.read', { messageId: newId() })).toMatchObject({
      ...{ type: 'error', payload: { code: 'unknown_message' } },
    })
    await Promise.all([mine.close(), his.close()])
  })

  test('only who shows a good token gets in, and never by the URL', async () => {
    const [url] = urls()
    const { authorization } = await givenPerson(gateway, newId())
    const token = authorization.slice('Bearer '.length)
    expect(await refusedSocket(url, {})).toMatchObject({ status: 401, json: { code: 'unauthorized' } })
    const wrong = await refusedSocket(url, { authorization: 'Bearer nonsense' })
    expect(wrong).toMatchObject({ status: 401, json: { code: 'invalid_token' } })
    expect(await refusedSocket(url, { path: `/ws?token=${token}` })).toMatchObject({ status: 401 })
    expect(await refusedSocket(url, { authorization, path: '/elsewhere' })).toMatchObject({ status: 404 })
    const socket = await connectSocket(url, { protocols: ['bearer', token] })
    expect(socket.ws.protocol).toBe('bearer')
    await socket.next('ready')
    await socket.close()
  })

  test('a ticket is good once, on any node', async () => {
    const [one, two] = urls()
    const ada = await givenPerson(gateway, newId())
    const { status, json } = await ada.ask('POST', '/api/v1/app/realtime/ticket')
    expect({ status, ...json.data }).toEqual({
      ...{ status: 200, ticket: expect.any(String), expires_at: expect.any(String) },
    })
    const protocols = ['ticket', json.data.ticket]
    const socket = await connectSocket(two, { protocols })
    expect(socket.ws.protocol).toBe('ticket')
    await socket.next('ready')
    expect(await refusedSocket(one, { protocols })).toMatchObject({ status: 401 })
    expect(await refusedSocket(two, { protocols: ['ticket', 'x'] })).toMatchObject({ status: 401 })
    await socket.close()
  })

  test('the first frame says where the stream begins, however much there is to tell', async () => {
    const [one, two] = urls()
    const ada = await givenPerson(gateway, newId())
    const bob = await givenPerson(gateway, newId())
    await givenDirect(gateway.context, ada, bob)
    const other = await connectSocket(one, bob)
    await other.next('ready')
    const sockets = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const socket = await connectSocket(two, ada)
        socket.say('nonsense')
        socket.say({ type: 'ack', id: 1, seq: 1 })
        return socket
      }),
    )
    for (const socket of sockets) {
      await socket.next('user.presence')
      await socket.next('ok')
      expect(socket.frames[0]).toMatchObject({
        type: 'ready',
        payload: { seq: 1, cursor: expect.any(String) },
      })
    }
    await Promise.all([...sockets, other].map((socket) => socket.close()))
  })

  test('a session that has ended has no sockets after two seconds, on any node', async () => {
    const [one, two] = urls()
    const ada = await givenPerson(gateway, newId())
    const bob = await givenPerson(gateway, newId())
    const sockets = await Promise.all([connectSocket(one, ada), connectSocket(two, ada)])
    const other = await connectSocket(one, bob)
    await gateway.context.appSessions.end({ ...ada, id: ada.sessionId }, 'logout', new Date())
    for (const socket of sockets) expect((await socket.closed()).code).toBe(4401)
    expect(await refusedSocket(one, ada)).toMatchObject({ status: 401 })
    expect(other.isClosed()).toBe(false)
    await other.close()
  })

  test('a phone that goes away takes its session with it', async () => {
    const [url] = urls()
    const ada = await givenPerson(gateway, newId())
    const socket = await connectSocket(url, ada)
    const { json } = await ada.get('/api/v1/app/devices')
    const [device] = json.data
    expect((await ada.ask('DELETE', `/api/v1/app/devices/${device.id}`)).status).toBe(200)
    expect((await socket.closed()).code).toBe(4401)
  })

  test('nobody takes more than his share of the sockets, and a new one takes the place of an old one of the same login', async () => {
    const [url] = urls()
    const ada = await givenPerson(gateway, newId())
    const sockets = await Promise.all(Array.from({ length: 20 }, () => connectSocket(url, ada)))
    const more = await connectSocket(url, ada)
    await more.next('ready')
    const closed = () => sockets.filter((socket) => socket.isClosed())
    await until(() => closed().length === 1, { description: 'one has made room' })
    const elsewhere = await gateway.context.db('app_sessions').first('*').where({ id: ada.sessionId })
    const other = newId()
    await gateway.context.db('app_sessions').insert({ ...elsewhere, id: other, device_key: null })
    const { token } = await gateway.context.signAppToken({ ...ada, sessionId: other }, 60_000)
    const refused = await refusedSocket(url, { authorization: `Bearer ${token}` })
    expect(refused).toMatchObject({ status: 429, json: { code: 'too_many_sockets' } })
    await Promise.all([...sockets, more].map((socket) => socket.close()))
  })
})

test.each(BACKENDS)('a node takes no more sockets than it can hold (%s)', async (backend) => {
  await using gateway = await startTestGateway({
    ...{ backend, workers: false, realtimeSettings: { mostSockets: 2 } },
  })
  const ada = await givenPerson(gateway, newId())
  const sockets = [await connectSocket(gateway.url, ada), await connectSocket(gateway.url, ada)]
  const refused = await refusedSocket(gateway.url, ada)
  expect(refused).toMatchObject({ status: 503, json: { code: 'sockets_unavailable' } })
  await sockets[0]?.close()
  const held = async () => (await gateway.context.metrics.sockets.get()).values[0]?.value
  await until(async () => (await held()) === 1, { description: 'the node knows that it has gone' })
  const next = await connectSocket(gateway.url, ada)
  await next.next('ready')
  await Promise.all([...sockets, next].map((socket) => socket.close()))
})

test.each(BACKENDS)('an address that has shown nobody yet waits for its turn (%s)', async (backend) => {
  await using gateway = await startTestGateway({
    ...{ backend, workers: false, env: { TRUST_PROXY_HOPS: '1' } },
    realtimeSettings: { mostPendingPerAddress: 1 },
  })
  const ada = await givenPerson(gateway, newId())
  const from = (address: string) =>
    connectSocket(gateway.url, { ...ada, headers: { 'x-forwarded-for': address } }).then(
      (socket) => socket.close().then(() => true),
      () => false,
    )
  const same = await Promise.all(Array.from({ length: 10 }, () => from('192.0.2.1')))
  expect(same).toContain(false)
  expect(await Promise.all(Array.from({ length: 10 }, (_, i) => from(`192.0.2.${i + 1}`)))).not.toContain(
    false,
  )
})
