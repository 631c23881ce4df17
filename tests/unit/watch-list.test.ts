import { jest } from '@jest/globals'
import fc from 'fast-check'
import type { WebSocket } from 'ws'
import { type Connection, newConnection } from '../../src/chat/realtime/connection.ts'
import type { PresenceStatus } from '../../src/chat/realtime/presence-keys.ts'
import type { SocketWriter } from '../../src/chat/realtime/socket-writer.ts'
import { createWatchList } from '../../src/chat/realtime/watch-list.ts'

/** Somebody comes and goes; what is said of it arrives late, and so does what is looked up. */
const PERSON = { extensionId: 7, number: '1001' }
const DELAY_MS = 1_000
const WATCHERS = 3

beforeEach(() => void jest.useFakeTimers({ now: 0 }))
afterEach(() => void jest.useRealTimers())

function createWorld() {
  const known = new Map<Connection, PresenceStatus>()
  const writer: Pick<SocketWriter, 'mention'> = {
    mention: (connection, _type, text) => void known.set(connection, JSON.parse(text).payload.status),
  }
  const list = createWatchList({ writer: writer as SocketWriter, delayMs: DELAY_MS })
  const holder = { tenantId: 't', extensionId: 1 } as Connection['holder']
  const watchers = Array.from({ length: WATCHERS }, () => newConnection({} as WebSocket, holder, 0))
  return { list, known, watchers }
}

type Step =
  | { is: 'comes or goes' }
  /** The oldest that was said of it arrives. */
  | { is: 'is heard' }
  | { is: 'asks' | 'is answered' | 'leaves'; who: number }
  | { is: 'waits'; ms: number }
const who = fc.nat({ max: WATCHERS - 1 })
const steps = fc.array(
  fc.oneof(
    fc.record({ is: fc.constantFrom('comes or goes' as const, 'is heard' as const) }),
    fc.record({ is: fc.constantFrom('asks' as const, 'is answered' as const, 'leaves' as const), who }),
    fc.record({ is: fc.constant('waits' as const), ms: fc.constantFrom(1, 600, 1_500) }),
  ),
  { maxLength: 50 },
)

/** Plays it to its end: all is heard, answered and told. Gives how somebody is, and what each knows who still wants to. */
function play(schedule: readonly Step[]) {
  const { list, known, watchers } = createWorld()
  let truth: PresenceStatus = 'offline'
  const said: PresenceStatus[] = []
  const asked = new Map<Connection, PresenceStatus>()
  const answer = (watcher: Connection) => {
    const found = asked.get(watcher)
    if (found === undefined) return
    asked.delete(watcher)
    known.set(watcher, list.begin(PERSON.extensionId, found))
  }
  const hear = () => {
    const status = said.shift()
    if (status !== undefined) list.hear(PERSON.extensionId, status)
  }
  for (const step of schedule) {
    const watcher = 'who' in step ? watchers[step.who] : undefined
    if (step.is === 'comes or goes') {
      truth = truth === 'online' ? 'offline' : 'online'
      said.push(truth)
    } else if (step.is === 'is heard') hear()
    else if (step.is === 'waits') jest.advanceTimersByTime(step.ms)
    else if (!watcher) throw new RangeError('no such watcher')
    else if (step.is === 'asks') {
      known.delete(watcher)
      list.set(watcher, [PERSON])
      asked.set(watcher, truth)
    } else if (step.is === 'is answered') answer(watcher)
    else {
      list.remove(watcher)
      asked.delete(watcher)
      known.delete(watcher)
    }
  }
  for (const watcher of watchers) answer(watcher)
  while (said.length > 0) hear()
  jest.advanceTimersByTime(2 * DELAY_MS)
  return { truth, known: [...known.values()] }
}

test('in the end everybody knows how somebody is, however late what they hear and what they asked', () => {
  fc.assert(
    fc.property(steps, (schedule: Step[]) => {
      const { truth, known } = play(schedule)
      expect(known).toEqual(known.map(() => truth))
    }),
    { numRuns: 3_000 },
  )
})

test('who asks in the moment between two nodes learns what the others know', () => {
  const { truth, known } = play([
    { is: 'comes or goes' },
    { is: 'is heard' },
    { is: 'asks', who: 0 },
    { is: 'is answered', who: 0 },
    { is: 'waits', ms: 1_500 },
    // Gone from one node, and there on another one.
    { is: 'comes or goes' },
    { is: 'is heard' },
    { is: 'asks', who: 1 },
    { is: 'is answered', who: 1 },
    { is: 'comes or goes' },
    { is: 'is heard' },
  ])
  expect([truth, known]).toEqual(['online', ['online', 'online']])
})
