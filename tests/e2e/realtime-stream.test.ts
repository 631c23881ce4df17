import fc from 'fast-check'
import { createSendStore } from '../../src/chat/send-store.ts'
import { newId } from '../../src/lib/ids.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { connectSocket, type SocketClient } from '../support/socket-client.ts'
import { givenDirect, givenGroup, givenPerson, type Person, sayIn } from '../support/socket-people.ts'

/** Commits messages, and tells nobody. */
const sayUnheard = (
  { context }: TestGateway,
  { tenantId, extensionId, extension }: Person,
  conversationId: string,
  contents: readonly string[],
) =>
  createSendStore(context.db).send(
    contents.map((content) => ({
      ...{ caller: { tenantId, extensionId, extension }, conversationId, content },
      ...{ clientId: newId(), kind: 'text' },
    })),
  )

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

describe.each(BACKENDS)('the stream of events on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({
      ...{ backend, nodes: 2, workers: false, env: { RATE_LIMITS: 'off' } },
      realtimeSettings: { checkEventsMs: 150, helloMs: 2_000 },
    })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  const url = (node = 0): string => gateway.nodes[node]?.url ?? ''
  const person = () => givenPerson(gateway, newId())
  const two = async () => {
    const [ada, bob] = [await person(), await person()]
    return { ada, bob, conversationId: await givenDirect(gateway.context, ada, bob) }
  }
  const cursorOf = ({ extensionId }: Person, seq: number) => gateway.context.syncCursors.of(extensionId, seq)

  test('a client goes on from its cursor, and one from elsewhere begins anew', async () => {
    const { ada, bob, conversationId } = await two()
    for (const content of ['a', 'b', 'c']) await sayIn(gateway.context, ada, conversationId, content)
    const socket = await connectSocket(url(), bob)
    expect((await socket.next('ready')).payload.seq).toBe(4)
    expect((await socket.ask('hello', { since: cursorOf(ada, 2) })).payload.code).toBe('invalid_request')
    await socket.ask('hello', { since: cursorOf(bob, 2) })
    await until(() => socket.seqs().length === 2, { description: 'what was missed is there' })
    // What was sent on this very line is not sent again.
    await socket.ask('hello', { since: cursorOf(bob, 3) })
    await sayIn(gateway.context, ada, conversationId, 'd')
    await until(() => socket.seqs().includes(5), { description: 'what is new is there' })
    expect(socket.seqs()).toEqual([3, 4, 5])
    await socket.ask('hello', { since: cursorOf(bob, 1) })
    await until(() => socket.seqs().length === 7, { description: 'it goes back' })
    expect(socket.seqs()).toEqual([3, 4, 5, 2, 3, 4, 5])

    await gateway.context.db('chat_users').where({ extension_id: bob.extensionId }).update({ floor_seq: 3 })
    for (const elsewhere of [2, 999]) {
      const late = await connectSocket(url(1), bob)
      await late.ask('hello', { since: cursorOf(bob, elsewhere) })
      await late.next('reset')
      await sayIn(gateway.context, ada, conversationId, 'e')
      await late.next('message.created')
      expect(late.seqs()).toHaveLength(1)
      await late.close()
    }
    await socket.close()
  })

  test('without a word it gets what is new, and what a hint did not tell is found', async () => {
    const { ada, bob, conversationId } = await two()
    const socket = await connectSocket(url(1), bob)
    await socket.next('ready')
    await sayUnheard(gateway, ada, conversationId, ['x', 'y'])
    await until(() => socket.seqs().length === 2, { description: 'both are found' })
    expect(socket.seqs()).toEqual([2, 3])
    await socket.close()
  })

  test('every event comes once and in order, whatever is hinted, lost, said again or cut', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('say' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant('say unheard' as const), count: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ do: fc.constant('hint' as const), seq: fc.integer({ min: 0, max: 2_000 }) }),
      fc.record({ do: fc.constant('hint nothing' as const) }),
      fc.record({ do: fc.constant('hello' as const) }),
      fc.record({ do: fc.constant('reconnect' as const), node: fc.integer({ min: 0, max: 1 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 20 }), async (steps) => {
        const { ada, bob, conversationId } = await two()
        const seen: number[] = []
        let said = 1
        let socket: SocketClient | undefined
        let cursor = cursorOf(bob, 0)
        const leave = async () => {
          await socket?.close()
          seen.push(...(socket?.seqs() ?? []))
          cursor = socket?.frames.findLast((frame) => frame.cursor !== undefined)?.cursor ?? cursor
        }
        const enter = async (node: number) => {
          await leave()
          socket = await connectSocket(url(node), bob)
          socket.say({ type: 'hello', since: cursor })
        }
        await enter(0)
        for (const each of steps) {
          const hint = (events: [number, number][]) => gateway.context.chatNews.tell(ada.tenantId, { events })
          if (each.do === 'reconnect') await enter(each.node)
          else if (each.do === 'hint') await hint([[bob.extensionId, each.seq]])
          else if (each.do === 'hint nothing') await hint([])
          else if (each.do === 'hello') socket?.say({ type: 'hello', since: cursor })
          else {
            const contents = upTo(each.count).map(String)
            said += each.count
            if (each.do === 'say unheard') await sayUnheard(gateway, ada, conversationId, contents)
            else for (const content of contents) await sayIn(gateway.context, ada, conversationId, content)
          }
        }
        const got = () => [...seen, ...(socket?.seqs() ?? [])]
        await until(() => (got().at(-1) ?? 0) >= said, { description: `${said} events are there` })
        expect(got()).toEqual(upTo(said))
        await socket?.close()
      }),
      { numRuns: 12 },
    )
  })

  test('who reads slowly gets all of it, later, and nobody waits for him', async () => {
    const { ada, bob, conversationId } = await two()
    const long = '€'.repeat(8_000)
    for (let i = 0; i < 12; i += 1)
      await sayUnheard(
        gateway,
        ada,
        conversationId,
        Array.from({ length: 50 }, () => long),
      )
    const { eventsSent } = gateway.context.metrics
    const sent = async () => (await eventsSent.get()).values[0]?.value ?? 0
    const before = await sent()
    const [slow, fast] = [await connectSocket(url(), bob), await connectSocket(url(), bob)]
    slow.ws.pause()
    for (const socket of [slow, fast]) socket.say({ type: 'hello', since: cursorOf(bob, 0) })
    await until(() => fast.seqs().length === 601, { description: 'the other one has them all' })
    expect((await sent()) - before).toBeLessThan(1_100)
    slow.ws.resume()
    await until(() => slow.seqs().length === 601, { description: 'he has them all' })
    expect(slow.seqs()).toEqual(upTo(601))
    await Promise.all([slow.close(), fast.close()])
  })

  test('500 sockets of one process get what is said in a group', async () => {
    const people: Person[] = []
    for (let i = 0; i < 50; i += 1) people.push(await person())
    const [owner] = people
    if (!owner) throw new Error('there are people')
    const conversationId = await givenGroup(gateway.context, owner, people.slice(1))
    const sockets: SocketClient[] = []
    for (let i = 0; i < 10; i += 1)
      sockets.push(...(await Promise.all(people.map((each) => connectSocket(url(1), each)))))
    await Promise.all(sockets.map((socket) => socket.ask('hello')))
    for (let i = 0; i < 5; i += 1) await sayIn(gateway.context, owner, conversationId, `m${i}`)
    await until(() => sockets.every((socket) => socket.seqs().length === 5), {
      description: 'all have all of it',
    })
    for (const socket of sockets) expect(socket.seqs()).toEqual(upTo(6, 2))
    await Promise.all(sockets.map((socket) => socket.close()))
  })
})

test.each(BACKENDS)('who does not answer is let go (%s)', async (backend) => {
  await using gateway = await startTestGateway({
    backend,
    workers: false,
    realtimeSettings: { heartbeatMs: 300 },
  })
  const ada = await givenPerson(gateway, newId())
  const mute = await connectSocket(gateway.url, { ...ada, client: { autoPong: false } })
  const well = await connectSocket(gateway.url, ada)
  expect((await mute.closed()).code).toBe(1006)
  expect(await well.ask('ping')).toMatchObject({ type: 'ok' })
  await well.close()
})

test.each(BACKENDS)('who takes nothing is let go (%s)', async (backend) => {
  await using gateway = await startTestGateway({
    ...{ backend, workers: false, env: { RATE_LIMITS: 'off' } },
    // He answers no ping either, which must not be what ends him.
    realtimeSettings: { stalledMs: 200, heartbeatMs: 10_000 },
  })
  const [ada, bob] = [await givenPerson(gateway, newId()), await givenPerson(gateway, newId())]
  const conversationId = await givenDirect(gateway.context, ada, bob)
  for (let i = 0; i < 12; i += 1)
    await sayUnheard(
      gateway,
      ada,
      conversationId,
      Array.from({ length: 50 }, () => '€'.repeat(8_000)),
    )
  const well = await connectSocket(gateway.url, ada)
  const stalled = await connectSocket(gateway.url, { ...bob, client: { autoPong: false } })
  stalled.say({ type: 'hello', since: gateway.context.syncCursors.of(bob.extensionId, 0) })
  await stalled.next('message.created')
  stalled.ws.pause()
  const { socketsClosed } = gateway.context.metrics
  await until(async () => (await socketsClosed.get()).values.some(({ labels }) => labels.code === '1013'), {
    description: 'it was closed',
  })
  stalled.ws.resume()
  await stalled.closed()
  expect(await well.ask('ping')).toMatchObject({ type: 'ok' })
  await well.close()
})

test('with Redis gone nothing is lost, and all is well when it is back', async () => {
  // Ends after the gateway, whichever of the two it is.
  await using servers = new AsyncDisposableStack()
  const redis = servers.use(await startRedisServer())
  await using gateway = await startTestGateway({
    ...{ backend: 'redis', redisUrl: redis.url, nodes: 2, workers: false },
    realtimeSettings: { checkEventsMs: 200, helloMs: 20 },
  })
  const [one, two] = gateway.nodes
  if (!one || !two) throw new Error('there are two nodes')
  const [ada, bob] = [await givenPerson(gateway, newId()), await givenPerson(gateway, newId())]
  const conversationId = await givenDirect(gateway.context, ada, bob)
  const [mine, his] = [await connectSocket(one.url, ada), await connectSocket(two.url, bob)]
  await Promise.all([mine.next('ready'), his.next('ready')])
  const say = async (content: string) =>
    expect(await mine.ask('message.send', { conversationId, clientId: newId(), content })).toMatchObject({
      type: 'ok',
    })
  await say('before')
  await his.next('message.created')
  await redis.kill()
  await say('while it is gone')
  await until(() => his.seqs().length === 2, { description: 'it was found' })
  const late = await connectSocket(two.url, bob)
  await late.next('ready')
  servers.use(await startRedisServer({ port: redis.port }))
  await until(
    () =>
      gateway.context.signals.ping().then(
        () => true,
        () => false,
      ),
    { description: 'it is back' },
  )
  await say('after')
  const haveIt = () => mine.seqs().length === 3 && his.seqs().length === 3 && late.seqs().length === 1
  await until(haveIt, { description: 'all have it' })
  expect(his.seqs()).toEqual([2, 3, 4])
  expect(mine.seqs()).toEqual([2, 3, 4])
  // Told, not found: a call is nowhere to be looked for.
  const heard = async () => {
    gateway.context.extensionNews.tell(bob.tenantId, newId(), {
      ...{ extension: bob.extension, type: 'call.cancelled', callId: 'x' },
    })
    return late.ofType('call.cancelled').length > 0
  }
  await until(heard, { description: 'news travel again' })
  await Promise.all([mine.close(), his.close(), late.close()])
})
