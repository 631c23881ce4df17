import { APNS_ANSWERS, outcomeOfApns } from '../../src/push/providers/apns/apns-answers.ts'

const ID = '0193f7a4-0000-7000-8000-000000000001'
const DEAD = ['ExpiredToken', 'Unregistered']
const TRANSIENT = [
  'IdleTimeout',
  'ExpiredProviderToken',
  'TooManyProviderTokenUpdates',
  'TooManyRequests',
  'InternalServerError',
  'ServiceUnavailable',
  'Shutdown',
]

const expected = (reason: string) =>
  DEAD.includes(reason) ? 'token_dead' : TRANSIENT.includes(reason) ? 'retry' : 'rejected'

test('an accepted push has the id that Apple echoed, or its own', () => {
  expect(outcomeOfApns({ status: 200, apnsId: 'echo' }, ID)).toEqual({ kind: 'accepted', providerId: 'echo' })
  expect(outcomeOfApns({ status: 200 }, ID)).toEqual({ kind: 'accepted', providerId: ID })
})

test.each(APNS_ANSWERS.map(({ status, reason, detail }) => [status, reason, detail] as const))(
  '%i %s',
  (status, reason, detail) => {
    expect(outcomeOfApns({ status, reason }, ID)).toEqual({ kind: expected(reason), reason, detail })
    expect(detail).toMatch(/^[A-Z].+\.$/)
  },
)

test('every reason of Apple is in the table once', () => {
  expect(APNS_ANSWERS).toHaveLength(33)
  expect(new Set(APNS_ANSWERS.map(({ reason }) => reason)).size).toBe(33)
})

test('the time at which a token died is handed on', () => {
  const outcome = outcomeOfApns({ status: 410, reason: 'Unregistered', timestamp: 1_700_000_000_000 }, ID)
  expect(outcome).toMatchObject({ kind: 'token_dead', deadSince: 1_700_000_000_000 })
})

test('a pause that Apple asks for is handed on with a retry only', () => {
  const pause = { retryAfterMs: 3_000 }
  expect(outcomeOfApns({ status: 429, reason: 'TooManyRequests', ...pause }, ID)).toMatchObject(pause)
  expect(outcomeOfApns({ status: 400, reason: 'BadTopic', ...pause }, ID)).not.toHaveProperty('retryAfterMs')
})

test.each([
  [400, 'Unregistered', 'rejected'],
  [410, 'BadDeviceToken', 'rejected'],
  [410, undefined, 'rejected'],
  [404, 'Unregistered', 'rejected'],
  [418, 'Teapot', 'rejected'],
  [429, 'Tomorrow', 'retry'],
  [408, undefined, 'retry'],
  [500, 'Unregistered', 'retry'],
  [502, undefined, 'retry'],
] as const)('%i with the undocumented reason %s never costs a token', (status, reason, kind) => {
  const outcome = outcomeOfApns({ status, ...(reason !== undefined && { reason }) }, ID)
  expect(outcome).toMatchObject({ kind, reason: reason ?? `status_${status}` })
})

test('without an answer it counts whether the push can have arrived', () => {
  const why = { reason: 'connection_lost', detail: 'The connection broke.' }
  expect(outcomeOfApns({ failure: 'not_sent', ...why }, ID)).toEqual({ kind: 'retry', ...why })
  expect(outcomeOfApns({ failure: 'unknown', ...why }, ID)).toEqual({ kind: 'unknown', ...why })
})
