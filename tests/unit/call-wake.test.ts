import fc from 'fast-check'
import { type CallState, type CallWake, outcomeOf } from '../../src/pbx/call-wake.ts'
import type { ClosedState } from '../../src/push/push.ts'

const STARTED = 1_000_000
const CLOSED: ClosedState[] = ['delivered', 'token_dead', 'rejected', 'expired', 'failed']
const call = (change: Partial<CallWake> = {}): CallWake => ({
  id: 'call',
  tenantId: 'tenant',
  callId: 'a@b',
  extension: '100',
  startedAt: STARTED,
  expiresAt: STARTED + 5_000,
  dnd: false,
  pushes: ['p1', 'p2'].map((pushId) => ({
    pushId,
    deviceId: `d-${pushId}`,
    deviceKey: pushId,
    provider: 'apns',
  })),
  ...change,
})
const nothing: CallState = { registrations: [], results: [] }
const refused = (id: string) => ({ id, state: 'token_dead', attempts: 1, closedAt: STARTED }) as const

const cases: [string, Partial<CallWake>, Partial<CallState>, string | undefined][] = [
  ['nothing has happened', {}, {}, undefined],
  ['a phone registered in the same millisecond', {}, { registrations: [{ at: STARTED }] }, 'registered'],
  ['a phone registered a second before', {}, { registrations: [{ at: STARTED - 1_000 }] }, 'registered'],
  ['a phone registered longer before', {}, { registrations: [{ at: STARTED - 1_001 }] }, undefined],
  ['the contact went away again', {}, { registrations: [{ at: STARTED, gone: true }] }, undefined],
  ['there is no phone', { pushes: [] }, {}, 'no_device'],
  ['do not disturb', { dnd: true, pushes: [] }, {}, 'dnd'],
  ['one of two pushes is refused', {}, { results: [refused('p1')] }, undefined],
  ['all pushes are refused', {}, { results: [refused('p1'), refused('p2')] }, 'unreachable'],
  [
    'one is refused, one has left without an answer',
    {},
    { results: [refused('p1'), { ...refused('p2'), uncertain: true }] },
    undefined,
  ],
  [
    'all are refused, and yet a phone registered',
    {},
    { results: [refused('p1'), refused('p2')], registrations: [{ at: STARTED }] },
    'registered',
  ],
  ['the caller hung up', {}, { event: { kind: 'cancelled', at: STARTED } }, 'cancelled'],
  [
    'somebody declined after the registration',
    {},
    { event: { kind: 'declined', at: STARTED }, registrations: [{ at: STARTED }] },
    'declined',
  ],
]
test.each(cases)('when %s', (_name, change, state, outcome) => {
  expect(outcomeOf(call(change), { ...nothing, ...state })).toBe(outcome)
})

const result = fc
  .record({ id: fc.constantFrom('p1', 'p2'), state: fc.constantFrom(...CLOSED), uncertain: fc.boolean() })
  .map(({ uncertain, ...rest }) => ({
    ...rest,
    ...(uncertain && { uncertain }),
    attempts: 1,
    closedAt: STARTED,
  }))
const state: fc.Arbitrary<CallState> = fc.record({
  registrations: fc.array(fc.record({ at: fc.integer({ min: STARTED - 3_000, max: STARTED + 3_000 }) })),
  results: fc.uniqueArray(result, { selector: ({ id }) => id }),
})

test('more news never takes a fresh registration back', () => {
  fc.assert(
    fc.property(state, state, (before, more) => {
      const first = outcomeOf(call(), before)
      const both = {
        registrations: [...before.registrations, ...more.registrations],
        results: before.results,
      }
      if (first === 'registered') expect(outcomeOf(call(), both)).toBe('registered')
    }),
  )
})

test('a call is given up only when every push was surely refused', () => {
  fc.assert(
    fc.property(state, (known) => {
      const outcome = outcomeOf(call(), { ...known, registrations: [] })
      const surely = known.results.filter(({ state, uncertain }) => state !== 'delivered' && !uncertain)
      expect(outcome).toBe(surely.length === 2 ? 'unreachable' : undefined)
    }),
  )
})
