import fc from 'fast-check'
import type { WebSocket } from 'ws'
import type { ChatEvent } from '../../src/chat/chat.ts'
import { type Connection, newConnection } from '../../src/chat/realtime/connection.ts'
import { createEventStream } from '../../src/chat/realtime/event-stream.ts'
import type { SocketWriter } from '../../src/chat/realtime/socket-writer.ts'
import { createSyncCursors } from '../../src/chat/sync-cursor.ts'
import type { EventPage, Since } from '../../src/chat/user-event-store.ts'
import { createKeyring } from '../../src/lib/keyring.ts'

/** Two sockets of one extension, its events, and a database that answers when it is told to. */
const EXTENSION = 7
const turn = () => new Promise((resolve) => setImmediate(resolve))

function createWorld({ answersAtOnce = false } = {}) {
  const log: ChatEvent[] = []
  const reads: { asked: readonly Since[]; answer: PromiseWithResolvers<(EventPage | undefined)[]> }[] = []
  let looks = 0
  const pageOf = ({ since, limit }: Since): EventPage => ({
    ...{ events: log.slice(since, since + limit), newest: log.length, floor: 0 },
  })
  const sockets = [createSocket(), createSocket()]
  const writer: Pick<SocketWriter, 'say' | 'event'> = {
    say: (_connection, type) => {
      throw new Error(`nothing but events: ${type}`)
    },
    event(connection, _type, text, onTaken) {
      const socket = sockets.find((each) => each.connection === connection)
      socket?.take((JSON.parse(text) as ChatEvent).seq, onTaken)
    },
  }
  const stream = createEventStream({
    userEvents: {
      read(asked) {
        looks += 1
        if (answersAtOnce) return Promise.resolve(asked.map(pageOf))
        const answer = Promise.withResolvers<(EventPage | undefined)[]>()
        reads.push({ asked, answer })
        return answer.promise
      },
    },
    syncCursors: createSyncCursors(createKeyring(Buffer.alloc(32, 1))),
    writer: writer as SocketWriter,
    metrics: { catchUpReads: { inc: () => undefined } } as never,
    onError: () => undefined,
  })
  return {
    ...{ log, stream, sockets, looks: () => looks, isReading: () => reads.length > 0 },
    commit(): ChatEvent {
      const event: ChatEvent = {
        ...{ seq: log.length + 1, type: 'conversation.updated', conversationId: 'c', at: new Date(0) },
      }
      log.push(event)
      return event
    },
    answer(isWell: boolean): void {
      const read = reads.shift()
      if (isWell) read?.answer.resolve(read.asked.map(pageOf))
      else read?.answer.reject(new Error('no answer'))
    },
  }
}

/** What a client takes: each event must be the very next. */
function createSocket() {
  const holder = { tenantId: 't', extensionId: EXTENSION } as Connection['holder']
  const connection = newConnection({} as WebSocket, holder, 0)
  const taken: number[] = []
  let next = 1
  let isSlow = false
  let onTaken: (() => void) | undefined
  return {
    ...{ connection, taken, last: () => next - 1 },
    take(seq: number, done: () => void): void {
      expect(seq).toBe(next)
      next += 1
      taken.push(seq)
      if (!isSlow) return
      connection.pausedAt = 1
      onTaken = done
    },
    /** It is told again from here on. */
    goBack(seq: number): void {
      next = seq + 1
    },
    setSlow(slow: boolean): void {
      isSlow = slow
      const done = onTaken
      if (slow || !done) return
      onTaken = undefined
      connection.pausedAt = undefined
      done()
    },
  }
}

type World = ReturnType<typeof createWorld>

type Step =
  | { is: 'commit'; told: 'whole' | 'hint' | 'never' | 'later' }
  | { is: 'tell late'; which: number }
  | { is: 'turn' }
  | { is: 'answer'; isWell: boolean }
  | { is: 'slow'; which: number; isSlow: boolean }
  | { is: 'hello'; which: number; from: number }

const which = fc.nat({ max: 1 })
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        is: fc.constant('commit' as const),
        told: fc.constantFrom(
          'whole' as const,
          'whole' as const,
          'hint' as const,
          'never' as const,
          'later' as const,
        ),
      }),
    },
    { weight: 2, arbitrary: fc.record({ is: fc.constant('tell late' as const), which: fc.nat() }) },
    { weight: 4, arbitrary: fc.record({ is: fc.constant('turn' as const) }) },
    { weight: 3, arbitrary: fc.record({ is: fc.constant('answer' as const), isWell: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ is: fc.constant('slow' as const), which, isSlow: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ is: fc.constant('hello' as const), which, from: fc.nat() }) },
  ),
  { maxLength: 60 },
)

function play(world: World, schedule: readonly Step[]) {
  const late: ChatEvent[] = []
  const connections = world.sockets.map(({ connection }) => connection)
  const offer = (event: ChatEvent) => {
    for (const connection of connections) world.stream.offer(connection, event)
  }
  const hint = (seq: number) => {
    for (const connection of connections) world.stream.hear(connection, seq)
  }
  const take = async (step: Step): Promise<void> => {
    const socket = world.sockets['which' in step ? step.which % 2 : 0]
    if (!socket) return
    if (step.is === 'turn') await turn()
    else if (step.is === 'answer') world.answer(step.isWell)
    else if (step.is === 'slow') socket.setSlow(step.isSlow)
    else if (step.is === 'tell late') late.splice(step.which % (late.length || 1), 1).forEach(offer)
    else if (step.is === 'hello') {
      const since = step.from % (world.log.length + 1)
      const { isHeld, start } = socket.connection
      if (isHeld || since < start) socket.goBack(since)
      world.stream.goOn(socket.connection, since)
    } else {
      const event = world.commit()
      if (step.told === 'whole') offer(event)
      if (step.told === 'hint') hint(event.seq)
      if (step.told === 'later') late.push(event)
    }
  }
  return {
    async run() {
      for (const step of schedule) await take(step)
    },
    /** The network is well, the database answers, and somebody looks for what was missed. */
    async rest() {
      for (const { connection, setSlow } of world.sockets) {
        setSlow(false)
        if (connection.isHeld) world.stream.goOn(connection)
      }
      const isBehind = () => world.sockets.some(({ last }) => last() < world.log.length)
      for (let round = 0; round < 50 && (isBehind() || world.isReading()); round += 1) {
        hint(world.log.length)
        for (const connection of connections) world.stream.consider(connection)
        await turn()
        world.answer(true)
        await turn()
      }
    },
  }
}

test('every event comes once and in its order, whatever is told, lost, late, slow or asked for again', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (schedule: Step[]) => {
      const world = createWorld()
      for (const { connection } of world.sockets) world.stream.begin(connection, 0)
      const game = play(world, schedule)
      await game.run()
      await game.rest()
      expect(world.sockets.map(({ last }) => last())).toEqual([world.log.length, world.log.length])
    }),
    { numRuns: 1_000, endOnFailure: true },
  )
})

test('what is offered in its order is not read from the database', async () => {
  const world = createWorld({ answersAtOnce: true })
  for (const { connection } of world.sockets) {
    world.stream.begin(connection, 0)
    world.stream.goOn(connection)
  }
  for (let i = 0; i < 1_200; i += 1) {
    const event = world.commit()
    for (const { connection } of world.sockets) {
      world.stream.offer(connection, event)
      // The hint that others get comes here, too.
      world.stream.hear(connection, event.seq)
    }
    if (i % 150 === 0) for (let turns = 0; turns < 4; turns += 1) await turn()
  }
  for (let turns = 0; turns < 10; turns += 1) await turn()
  expect(world.sockets.map(({ taken }) => taken.length)).toEqual([1_200, 1_200])
  expect(world.looks()).toBe(0)
  // Nothing of it is kept for those who have it.
  expect(world.sockets.map(({ connection }) => connection.atHand)).toEqual([undefined, undefined])
})

test('whoever was told of a later event first gets both from the database', async () => {
  const world = createWorld({ answersAtOnce: true })
  const [socket] = world.sockets
  if (!socket) throw new Error('there are two')
  world.stream.begin(socket.connection, 0)
  world.stream.goOn(socket.connection)
  const [first, second] = [world.commit(), world.commit()]
  world.stream.offer(socket.connection, second)
  await turn()
  world.stream.offer(socket.connection, first)
  for (let turns = 0; turns < 5; turns += 1) await turn()
  expect(socket.taken).toEqual([1, 2])
  expect(world.looks()).toBe(1)
})
