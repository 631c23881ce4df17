import { systemClock } from '../../src/lib/clock.ts'
import type { CallSignals } from '../../src/pbx/call-signals.ts'
import type { CallState, CallWake } from '../../src/pbx/call-wake.ts'
import { createCallWatches } from '../../src/pbx/call-watch.ts'
import { createHold } from '../../src/pbx/hold.ts'

const call: CallWake = {
  id: 'call',
  tenantId: 'tenant',
  callId: 'a@b',
  extension: '100',
  startedAt: Date.now(),
  expiresAt: Date.now() + 60_000,
  dnd: false,
  pushes: [{ pushId: 'p', deviceId: 'd', deviceKey: 'k', provider: 'apns' }],
}
const registered: CallState = { registrations: [{ at: call.startedAt }], results: [] }
const silent: CallState = { registrations: [], results: [] }

/** A store whose answers the test decides; the real ones are tested with real stores. */
function store(read: () => Promise<CallState>, ready: Promise<void> = Promise.resolve()) {
  let looks = 0
  let followers = 0
  const calls = {
    read: () => {
      looks += 1
      return read()
    },
    follow: () => {
      followers += 1
      return {
        ready,
        close: () => {
          followers -= 1
        },
      }
    },
  } as unknown as CallSignals
  const errors: Error[] = []
  const deps = {
    calls,
    clock: systemClock,
    stopping: new AbortController().signal,
    onError: (error: Error) => void errors.push(error),
  }
  return { deps, errors, looks: () => looks, followers: () => followers }
}
const never = new Promise<never>(() => undefined)
const listening = new AbortController().signal
const inMs = (ms: number) => performance.now() + ms

test('one process holds so many calls and refuses the next, until one ends', () => {
  const { deps, followers } = store(async () => silent)
  const watches = createCallWatches(deps, 2)
  const first = watches.open(call, inMs(10_000), listening)
  const second = watches.open(call, inMs(10_000), listening)
  expect(() => watches.open(call, inMs(10_000), listening)).toThrow('too many held calls')
  first.close()
  const third = watches.open(call, inMs(10_000), listening)
  expect(watches.count()).toBe(2)
  second.close()
  third.close()
  expect(watches.count()).toBe(0)
  expect(followers()).toBe(0)
})

test('a hold whose store says nothing at all still pushes, and ends at its deadline', async () => {
  const { deps, errors } = store(() => never, never)
  const hold = createHold({ ...deps, watches: createCallWatches(deps) })
  let pushed = 0
  const begin = performance.now()
  const push = async () => {
    pushed = performance.now() - begin
  }
  const { outcome } = await hold.hold(call, { deadline: inMs(900), push, signal: listening })
  expect(outcome).toBe('timeout')
  // Half a second for the two steps before it, not the whole hold.
  expect(pushed).toBeGreaterThan(500)
  expect(pushed).toBeLessThan(800)
  expect(performance.now() - begin).toBeLessThan(1_100)
  expect(errors.map(({ message }) => message)).toContain('subscribing took longer than 300 ms')
})

test('a lost message costs a second: the next look finds what it would have said', async () => {
  let state = silent
  const { deps, looks } = store(async () => state)
  const hold = createHold({ ...deps, watches: createCallWatches(deps) })
  const push = async () => {
    state = registered
  }
  const begin = performance.now()
  const { outcome } = await hold.hold(call, { deadline: inMs(5_000), push, signal: listening })
  expect(outcome).toBe('registered')
  expect(performance.now() - begin).toBeGreaterThan(900)
  expect(performance.now() - begin).toBeLessThan(1_500)
  expect(looks()).toBe(2)
})

test('a push that cannot be handed over ends the hold', async () => {
  const { deps, followers } = store(async () => silent)
  const hold = createHold({ ...deps, watches: createCallWatches(deps) })
  const push = () => Promise.reject(new Error('the queue is away'))
  await expect(hold.hold(call, { deadline: inMs(5_000), push, signal: listening })).rejects.toThrow(
    'the queue is away',
  )
  expect(followers()).toBe(0)
})
