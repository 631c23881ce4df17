import fc from 'fast-check'
import { checkHistory, EQUATIONS } from '../../faults/history/check-history.ts'
import { figuresOf } from '../../faults/history/figures.ts'
import {
  type ClientAnswer,
  type Disruption,
  type History,
  type Item,
  type LoggedPush,
  type Receipt,
  TERMINAL,
} from '../../faults/history/history.ts'

/** Hand-made histories: a good one, and for each equation those that break it and nothing else. */
const CALL_ID = '0190a000-0000-7000-8000-000000000001'
const MESSAGE_ID = '0190a000-0000-7000-8000-000000000002'
const OTHER_ID = '0190a000-0000-7000-8000-000000000003'

const call: Item = {
  subject: 'call-1',
  lane: 'calls',
  mode: 'async',
  provider: 'apns',
  token: 'c',
  ends: TERMINAL,
}
const message: Item = {
  subject: 'message-1',
  lane: 'messages',
  mode: 'stored',
  provider: 'fcm',
  token: 'm',
  ends: ['delivered'],
}
const callAnswer: ClientAnswer = {
  subject: 'call-1',
  sentAt: 10_000,
  answeredAt: 10_005,
  status: 202,
  hasRetryAfter: false,
  pushId: CALL_ID,
}
const messageAnswer: ClientAnswer = { ...callAnswer, subject: 'message-1', pushId: MESSAGE_ID }
const callReceipt: Receipt = { at: 10_010, provider: 'apns', subject: 'call-1', pushId: CALL_ID, status: 200 }
const messageReceipt: Receipt = {
  at: 10_012,
  provider: 'fcm',
  subject: 'message-1',
  pushId: MESSAGE_ID,
  status: 200,
}
const callRow: LoggedPush = {
  id: CALL_ID,
  callId: 'call-1',
  state: 'delivered',
  tokenState: 'valid',
  expiresAt: 35_000,
  closedAt: 10_020,
}
const messageRow: LoggedPush = {
  id: MESSAGE_ID,
  state: 'delivered',
  tokenState: 'valid',
  expiresAt: 900_000,
  closedAt: 10_022,
}

const good: History = {
  items: [call, message],
  answers: [callAnswer, messageAnswer],
  receipts: [callReceipt, messageReceipt],
  rows: [callRow, messageRow],
  pending: [],
  tries: [],
  disruptions: [],
  exits: [{ name: 'api', code: 0, signal: null, asked: 'stopped' }],
  outputs: [{ name: 'api', text: '{"level":"info","msg":"api is ready"}\n' }],
  lags: [],
  phases: { begunAt: 9_000, hurtAt: 12_000, healedAt: 13_000, askedAt: 14_000 },
}
const broken = (change: Partial<History>): string[] =>
  checkHistory({ ...good, ...change }).map(({ equation }) => equation)

test('a history in which everything went well breaks nothing', () => {
  expect(checkHistory(good)).toEqual([])
})

const BREACHES: readonly [equation: string, what: string, change: Partial<History>][] = [
  ['no row', 'a call that was answered with 202 is not in the log', { rows: [messageRow] }],
  ['no row', 'a message that was answered with 202 is not in the log', { rows: [callRow] }],
  ['lost', 'a message is open', { rows: [callRow, open(messageRow)], receipts: [callReceipt] }],
  ['lost', 'a message has ended and is still owed', { pending: [MESSAGE_ID] }],
  [
    'wrong end',
    'a message fails though its vendor is well',
    { rows: [callRow, { ...messageRow, state: 'failed', reason: 'poison' }] },
  ],
  ['unproven', 'a message is delivered without a request', { receipts: [callReceipt] }],
  [
    'unproven',
    'a call is delivered and was only refused',
    { receipts: [{ ...callReceipt, status: 503 }, messageReceipt] },
  ],
  [
    'invented try',
    'a try has an answer that no vendor gave',
    { tries: [{ pushId: MESSAGE_ID, status: 503 }] },
  ],
  [
    'token killed',
    'a token is dead by our own word',
    { rows: [{ ...callRow, tokenState: 'dead' }, messageRow] },
  ],
  [
    'several ids',
    'a key that is repeated gets another push',
    { answers: [callAnswer, messageAnswer, { ...messageAnswer, pushId: OTHER_ID }] },
  ],
  [
    'several ids',
    'a vendor gets the same push under another id',
    {
      receipts: [callReceipt, { ...messageReceipt, status: 503 }, { ...messageReceipt, pushId: OTHER_ID }],
    },
  ],
  ['several ids', 'a call has two rows', { rows: [callRow, { ...callRow, id: OTHER_ID }, messageRow] }],
  ['phantom', 'somebody gets what nobody asked for', { receipts: [...good.receipts, stray('nobody')] }],
  ['phantom', 'a push without a subject arrives', { receipts: [...good.receipts, stray('')] }],
  ['duplicated', 'a message comes twice', { receipts: [...good.receipts, messageReceipt] }],
  ['duplicated', 'a call rings twice', { receipts: [...good.receipts, callReceipt] }],
  [
    'duplicated',
    'a call whose first try was not answered is sent again',
    { receipts: [...good.receipts, { ...callReceipt, status: 0 }] },
  ],
  [
    'duplicated',
    'a message comes three times after one crash',
    {
      receipts: [...good.receipts, messageReceipt, messageReceipt],
      disruptions: [crash('messages', 10_015)],
    },
  ],
  [
    'duplicated',
    'a call rings twice because its worker died',
    { receipts: [...good.receipts, callReceipt], disruptions: [crash('calls', 10_015)] },
  ],
  [
    'duplicated',
    'a message comes twice, and a worker of the other lane died',
    { receipts: [...good.receipts, messageReceipt], disruptions: [crash('calls', 10_015)] },
  ],
  [
    'duplicated',
    'a message comes twice, and a worker died long after',
    { receipts: [...good.receipts, messageReceipt], disruptions: [crash('messages', 14_000)] },
  ],
  [
    'duplicated',
    'a message comes twice, and a worker had died before',
    { receipts: [...good.receipts, messageReceipt], disruptions: [crash('messages', 9_500)] },
  ],
  [
    'sent after its end',
    'a message that had ended is sent',
    { receipts: [callReceipt, { ...messageReceipt, status: 503 }, { ...messageReceipt, at: 10_300 }] },
  ],
  [
    'sent after its end',
    'a message that had ended is sent by a worker that was frozen before',
    {
      receipts: [callReceipt, { ...messageReceipt, status: 503 }, { ...messageReceipt, at: 19_000 }],
      disruptions: [{ kind: 'frozen', lane: 'messages', at: 11_000, until: 14_000 }],
    },
  ],
  [
    'sent too late',
    'a call is sent after it expired',
    { receipts: [{ ...callReceipt, at: 35_200 }, messageReceipt] },
  ],
  [
    'wrong answer',
    'a call is answered with 500',
    { answers: [{ ...callAnswer, status: 500 }, messageAnswer] },
  ],
  ['wrong answer', 'a connection breaks', { answers: [...good.answers, { ...callAnswer, status: 0 }] }],
  [
    'wrong answer',
    'a refused message is not told when to come back',
    { answers: [...good.answers, { ...messageAnswer, status: 503 }] },
  ],
  [
    'slow hand-over',
    'a call is taken over late',
    { answers: [{ ...callAnswer, answeredAt: 10_501 }, messageAnswer] },
  ],
  [
    'slow hand-over',
    'the client was late itself, but not that late',
    {
      answers: [{ ...callAnswer, answeredAt: 10_701 }, messageAnswer],
      lags: [{ at: 10_300, ms: 200 }],
    },
  ],
  [
    'slow hold',
    'a hold goes on after its end',
    {
      items: [{ ...call, mode: 'held' }, message],
      answers: [{ ...callAnswer, status: 200, answeredAt: 15_251 }, messageAnswer],
    },
  ],
  [
    'unasked exit',
    'a program ends by itself',
    { exits: [...good.exits, { name: 'worker', code: 1, signal: null, asked: 'nothing' }] },
  ],
  [
    'unasked exit',
    'a program that was told to stop fails',
    { exits: [{ name: 'api', code: 1, signal: null, asked: 'stopped' }] },
  ],
  [
    'unhandled',
    'Node found an error that nobody caught',
    { outputs: [{ name: 'api', text: '[UnhandledPromiseRejection: This error originated ...]\n' }] },
  ],
]

test.each(BREACHES)('%s: %s', (equation, _what, change) => {
  expect(broken(change)).toEqual([equation])
})

test('each equation has a history that breaks it', () => {
  expect(new Set(BREACHES.map(([equation]) => equation))).toEqual(new Set(Object.keys(EQUATIONS)))
})

const EXCUSED: readonly [what: string, change: Partial<History>][] = [
  [
    'a message comes once more because its worker died',
    { receipts: [...good.receipts, messageReceipt], disruptions: [crash('messages', 10_015)] },
  ],
  [
    'a message comes once more because the first time nobody answered',
    { receipts: [callReceipt, { ...messageReceipt, status: 0 }, messageReceipt] },
  ],
  [
    'a call is sent from where it came in, because nobody could see that a worker had it',
    {
      receipts: [...good.receipts, { ...callReceipt, at: 10_400 }],
      disruptions: [{ kind: 'store', lane: 'calls', at: 10_200, until: 13_000 }],
    },
  ],
  [
    'a refused try is repeated',
    { receipts: [callReceipt, { ...messageReceipt, status: 429 }, messageReceipt] },
  ],
  [
    'a worker that was frozen sends what has ended meanwhile',
    {
      receipts: [...good.receipts, { ...messageReceipt, at: 14_100 }],
      disruptions: [{ kind: 'frozen', lane: 'messages', at: 10_015, until: 14_000 }],
    },
  ],
  [
    'a message is refused with 503 and comes again with its key',
    { answers: [callAnswer, { ...messageAnswer, status: 503, hasRetryAfter: true }, messageAnswer] },
  ],
  [
    'a held call whose phone was there already has no push',
    {
      items: [{ ...call, mode: 'held' }, message],
      answers: [{ ...callAnswer, status: 200, outcome: 'registered' }, messageAnswer],
      receipts: [messageReceipt],
      rows: [messageRow],
    },
  ],
  [
    'an answer is late by as much as the client was',
    { answers: [{ ...callAnswer, answeredAt: 10_600 }, messageAnswer], lags: [{ at: 10_300, ms: 200 }] },
  ],
  ['a program is killed', { exits: [{ name: 'api', code: null, signal: 'SIGKILL', asked: 'killed' }] }],
]
test.each(EXCUSED)('nothing is wrong when %s', (_what, change) => {
  expect(broken(change)).toEqual([])
})

test('one of a thousand calls may be slow, two may not', () => {
  const numbers = Array.from({ length: 1_000 }, (_, index) => index)
  const many = (slow: number): Partial<History> => ({
    items: numbers.map((number) => ({ ...call, subject: `call-${number}` })),
    answers: numbers.map((number) => ({
      ...callAnswer,
      subject: `call-${number}`,
      status: 503,
      hasRetryAfter: true,
      answeredAt: number < slow ? 10_900 : 10_005,
    })),
    receipts: [],
    rows: [],
  })
  expect(broken(many(1))).toEqual([])
  expect(broken(many(2))).toEqual(['slow hand-over'])
})

test('whatever of a good history is taken away, it is missed', () => {
  const subjects = fc.uniqueArray(fc.stringMatching(/^[a-z]{4}$/), { minLength: 1, maxLength: 20 })
  const kinds = fc.constantFrom('row', 'receipt', 'close')
  fc.assert(
    fc.property(subjects, fc.nat(), kinds, (names, at, kind) => {
      const victim = names[at % names.length]
      const ids = new Map(names.map((name, index) => [name, `id-${index}`]))
      const others = (name: string) => name !== victim
      const history: History = {
        ...good,
        items: names.map((subject) => ({ ...message, subject })),
        answers: names.map((subject) => ({ ...messageAnswer, subject, pushId: ids.get(subject) ?? '' })),
        receipts: names
          .filter((name) => kind !== 'receipt' || others(name))
          .map((subject) => ({ ...messageReceipt, subject, pushId: ids.get(subject) ?? '' })),
        rows: names
          .filter((name) => kind !== 'row' || others(name))
          .map((name) => ({ ...messageRow, id: ids.get(name) ?? '' }))
          .map((row) => (kind === 'close' && row.id === ids.get(victim ?? '') ? open(row) : row)),
      }
      const expected = { row: 'no row', receipt: 'unproven', close: 'lost' }[kind]
      expect(checkHistory(history).map(({ equation, count }) => [equation, count])).toEqual([[expected, 1]])
    }),
  )
})

test('the figures tell what happened when', () => {
  const later = { ...callAnswer, subject: 'call-2', sentAt: 13_100, answeredAt: 13_104, pushId: OTHER_ID }
  const history: History = {
    ...good,
    items: [...good.items, { ...call, subject: 'call-2' }],
    answers: [...good.answers, later],
    receipts: [...good.receipts, { ...callReceipt, subject: 'call-2', pushId: OTHER_ID, at: 13_130 }],
    rows: [
      callRow,
      { ...messageRow, closedAt: 13_500 },
      { ...callRow, id: OTHER_ID, callId: 'call-2', closedAt: 13_140 },
    ],
  }
  const figures = figuresOf(history, checkHistory(history))
  expect(figures).toMatchObject({
    acknowledged: 3,
    terminal: 3,
    lost: 0,
    repeated: 0,
    phantom: 0,
    calls: { asked: 2, sent: 2 },
    firstMs: 130,
    settledMs: 500,
  })
  expect(figures.latency.calls.before).toMatchObject({ count: 1, p50: 10 })
  expect(figures.latency.calls.during).toMatchObject({ count: 0 })
  expect(figures.latency.calls.after).toMatchObject({ count: 1, p50: 30 })
})

function open({ closedAt, ...row }: LoggedPush): LoggedPush {
  return { ...row, state: 'sending' }
}
function stray(subject: string): Receipt {
  return { ...messageReceipt, subject, pushId: OTHER_ID }
}
function crash(lane: Disruption['lane'], at: number): Disruption {
  return { kind: 'killed', lane, at, until: at }
}
