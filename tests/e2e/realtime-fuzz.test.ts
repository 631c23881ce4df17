import fc from 'fast-check'
import { newId } from '../../src/lib/ids.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'
import { connectSocket } from '../support/socket-client.ts'
import { givenDirect, givenPerson } from '../support/socket-people.ts'

const TYPES = [
  ...['hello', 'message.send', 'message.delivered', 'message.read', 'ack', 'typing'],
  ...['presence.subscribe', 'app.state', 'auth', 'ping', '__proto__', 'toString', ''],
]

test.each(BACKENDS)(
  'whatever clients say, the server lives and none of it is its fault (%s)',
  async (backend) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    await using gateway = await startTestGateway({ backend, workers: false, env: { RATE_LIMITS: 'off' } })
    const [ada, bob] = [await givenPerson(gateway, newId()), await givenPerson(gateway, newId())]
    const conversationId = await givenDirect(gateway.context, ada, bob)
    const odd = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\0',
        '\ud800',
        newId(),
        conversationId,
        '1'.repeat(400),
        null,
        -1,
        1e300,
        2 ** 53,
        true,
      ),
      fc.integer(),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.constant({}),
    )
    const NAMES = [
      'since',
      'conversationId',
      'clientId',
      'content',
      'kind',
      'replyTo',
      'mentions',
      'messageId',
    ]
    const fields = fc.dictionary(
      fc.constantFrom(...NAMES, 'seq', 'isTyping', 'userIds', 'state', 'token', 'type', 'id', '__proto__'),
      odd,
      { maxKeys: 8 },
    )
    const frame = fc.oneof(
      { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
      { weight: 1, arbitrary: fc.json() },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }) },
      {
        weight: 8,
        arbitrary: fc
          .record({
            type: fc.constantFrom(...TYPES),
            payload: fc.oneof(fields, odd),
            beside: fields,
            id: odd,
          })
          .map(({ beside, ...said }) => JSON.stringify({ ...beside, ...said })),
      },
      {
        weight: 2,
        arbitrary: fc
          .record({ clientId: odd, content: odd, replyTo: odd, mentions: odd })
          .map((payload) =>
            JSON.stringify({ type: 'message.send', payload: { ...payload, conversationId } }),
          ),
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 30 }), async (said) => {
        const socket = await connectSocket(gateway.url, ada)
        for (const each of said) socket.ws.send(each)
        socket.say({ type: 'ping', id: 'last' })
        const isDone = () => socket.isClosed() || socket.frames.some(({ id }) => id === 'last')
        await until(isDone, { description: 'all was taken, or it was closed' })
        const faults = socket
          .ofType('error')
          .filter(({ payload }) => !payload.code || payload.code === 'internal')
        expect(faults).toEqual([])
        if (socket.isClosed()) expect([1008, 1007]).toContain((await socket.closed()).code)
        await socket.close()
      }),
      { numRuns: 150 },
    )
    const well = await connectSocket(gateway.url, bob)
    expect(await well.ask('ping')).toMatchObject({ type: 'ok' })
    await well.close()
    const { values } = await gateway.context.metrics.backgroundErrors.get()
    expect(values.filter(({ labels }) => labels.part === 'realtime')).toEqual([])
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  },
)
