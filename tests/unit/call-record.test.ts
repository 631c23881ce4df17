import fc from 'fast-check'
import {
  type CallFacts,
  type CallRecord,
  type CallUpdate,
  mergeCallRecord,
} from '../../src/devices/call-record.ts'

/** One record of a call from its updates, in whatever order they come. */
const NOW = Date.UTC(2026, 10, 21, 10)
const merged = (updates: readonly CallUpdate[]): CallRecord | undefined =>
  updates.reduce<CallRecord | undefined>((record, update) => mergeCallRecord(record, update, NOW), undefined)
const update = (facts: CallFacts, startTime?: number): CallUpdate => ({
  callId: 'c',
  facts,
  ...(startTime !== undefined && { startTime }),
})

/** What is true of a call before its end, and what its end says; some of it in both, and then not the same. */
const during = {
  callerIdName: 'Ada',
  callerIdNum: '100',
  callee: '200',
  direction: 'internal',
  trunkId: 1,
} as const
const after = {
  callee: '201',
  duration: 9,
  billable: 5,
  hangupCause: 'NORMAL',
  recordingFile: 'a.wav',
} as const
const partOf = (facts: CallFacts) =>
  fc.subarray(Object.entries(facts)).map((some) => Object.fromEntries(some))
const early = fc
  .tuple(partOf({ ...during, answerTime: 5_000, disposition: 'answered' }), fc.constantFrom(undefined, 1_000))
  .map(([facts, startTime]) => update(facts, startTime))
const final = fc.oneof(
  partOf(after).map((facts) => update({ ...facts, endTime: 9_000 })),
  partOf(after).map((facts) => update({ ...facts, disposition: 'busy' })),
)

test('updates that do not contradict each other give the same record in any order, told once or more often', () => {
  fc.assert(
    fc.property(
      fc.array(early, { maxLength: 4 }),
      fc.array(final, { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.nat()),
      (earlies, finals, numbers) => {
        const updates = [update({}, 1_000), ...earlies, ...finals]
        const again = updates.filter(() => (numbers.next().value ?? 0) % 3 === 0)
        const shuffled = [...updates, ...again]
          .map((one) => ({ one, at: numbers.next().value ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one)
        expect(merged(shuffled)).toEqual(merged(updates))
      },
    ),
    { numRuns: 2_000 },
  )
})

test('while the call lives, only what is given changes, and the last word counts', () => {
  expect(
    merged([
      update({ callerIdNum: '100', callee: '200' }, 1_000),
      update({ callee: '201' }),
      update({ disposition: 'answered', answerTime: 2_000 }),
      update({ callee: '202' }),
    ]),
  ).toEqual({
    callId: 'c',
    startTime: 1_000,
    isStartTold: true,
    facts: { callerIdNum: '100', callee: '202', disposition: 'answered', answerTime: 2_000 },
  })
})

test.each<[string, CallFacts]>([
  ['an end time', { endTime: 9_000 }],
  ['no_answer', { disposition: 'no_answer' }],
  ['cancelled', { disposition: 'cancelled' }],
  ['busy', { disposition: 'busy' }],
  ['failed', { disposition: 'failed' }],
])('a call that has ended by %s is not opened again: what comes late only adds', (_, end) => {
  const ended = update({ callee: '200', ...end }, 1_000)
  const late = update({ callee: '201', callerIdNum: '100', disposition: 'answered' }, 2_000)
  const record = merged([ended, late])
  expect(record?.startTime).toBe(1_000)
  expect(record?.facts).toEqual({ disposition: 'answered', ...ended.facts, callerIdNum: '100' })
  // Who tells the end may correct it.
  expect(merged([ended, late, update({ callee: '202', endTime: 9_500 })])?.facts).toMatchObject({
    callee: '202',
    endTime: 9_500,
  })
})

test('an answered call that has not ended goes on', () => {
  expect(
    merged([update({ disposition: 'answered', callee: '200' }), update({ callee: '201' })])?.facts.callee,
  ).toBe('201')
})

test('a beginning that nobody has told is the earliest moment known, until somebody tells it', () => {
  expect(merged([update({})])).toMatchObject({ startTime: NOW, isStartTold: false })
  expect(merged([update({}), update({ endTime: 9_000 }), update({ answerTime: 5_000 })])).toMatchObject({
    startTime: 5_000,
    isStartTold: false,
  })
  expect(merged([update({ endTime: 9_000 }), update({}, 7_000)])).toMatchObject({
    startTime: 7_000,
    isStartTold: true,
  })
})
