import { APNS_ANSWERS } from '../../src/push/providers/apns/apns-answers.ts'
import type { Whereabouts } from '../../src/push/providers/apns/apns-departures.ts'
import { APNS_ENDINGS, type ApnsEnding } from '../../src/push/providers/apns/apns-endings.ts'
import { readFailedEntry } from '../../src/push/providers/apns/apns-failures.ts'
import { isTooLarge, outcomeOfApns } from '../../src/push/providers/apns/apns-outcomes.ts'

const ID = '0193f7a4-0000-7000-8000-000000000001'

/** Written down a second time, by verdict: what becomes of a push, and what is done about it. */
const EXPECTED: Record<string, { kind: string; class: string; action: string; words: readonly string[] }> = {
  dead: { kind: 'token_dead', class: 'token', action: 'drop_token', words: ['ExpiredToken', 'Unregistered'] },
  suspect: {
    kind: 'rejected',
    class: 'token',
    action: 'quarantine_token',
    words: ['DeviceTokenNotForTopic'],
  },
  elsewhere: {
    kind: 'rejected',
    class: 'token',
    action: 'try_other_environment',
    words: ['BadDeviceToken'],
  },
  ours: {
    kind: 'rejected',
    class: 'message',
    action: 'fail',
    words: [
      ...['BadCollapseId', 'BadExpirationDate', 'BadMessageId', 'BadPriority', 'DuplicateHeaders'],
      ...['InvalidPushType', 'MissingDeviceToken', 'PayloadEmpty', 'BadPath', 'MethodNotAllowed'],
    ],
  },
  large: { kind: 'rejected', class: 'message', action: 'trim_and_resend', words: ['PayloadTooLarge'] },
  operator: {
    kind: 'rejected',
    class: 'config',
    action: 'alarm',
    words: [
      ...['BadTopic', 'MissingTopic', 'TopicDisallowed', 'BadCertificate', 'BadCertificateEnvironment'],
      ...['BadEnvironmentKeyIdInToken', 'BadEnvironmentKeyInToken', 'Forbidden', 'InvalidProviderToken'],
      ...['MissingProviderToken', 'UnrelatedKeyIdInToken'],
    ],
  },
  expired: {
    kind: 'retry',
    class: 'provider_token',
    action: 'renew_provider_token',
    words: ['ExpiredProviderToken'],
  },
  minting: {
    kind: 'retry',
    class: 'provider_token',
    action: 'keep_provider_token',
    words: ['TooManyProviderTokenUpdates'],
  },
  patience: { kind: 'retry', class: 'transient', action: 'spare_phone', words: ['TooManyRequests'] },
  later: {
    kind: 'retry',
    class: 'transient',
    action: 'retry',
    words: ['IdleTimeout', 'InternalServerError', 'ServiceUnavailable', 'Shutdown'],
  },
}

const expectedFor = (word: string) => Object.values(EXPECTED).find(({ words }) => words.includes(word))

test('an accepted push has the id that Apple echoed, or its own', () => {
  expect(outcomeOfApns({ status: 200, apnsId: 'echo' }, { id: ID, kind: 'call' })).toEqual({
    kind: 'accepted',
    providerId: 'echo',
  })
  expect(outcomeOfApns({ status: 200 }, { id: ID, kind: 'call' })).toEqual({
    kind: 'accepted',
    providerId: ID,
  })
})

test.each(APNS_ANSWERS.map((row) => [row.status, row.reason, row] as const))(
  '%i %s',
  (status, reason, { class: fault, action, detail }) => {
    const expected = expectedFor(reason)
    expect({ class: fault, action }).toEqual({ class: expected?.class, action: expected?.action })
    expect(outcomeOfApns({ status, reason }, { id: ID, kind: 'call' })).toEqual({
      kind: expected?.kind,
      class: expected?.class,
      status,
      reason,
      detail,
      ...(reason === 'BadDeviceToken' && { tryOtherEnvironment: true }),
      ...(reason === 'TooManyRequests' && { isOfPhone: true, retryAfterMs: 1_000 }),
      ...(reason === 'TooManyProviderTokenUpdates' && { needsOperator: true, retryAfterMs: 1_000 }),
    })
    expect(detail).toMatch(/^[A-Z].+\.$/)
    expect(isTooLarge({ status, reason })).toBe(reason === 'PayloadTooLarge')
  },
)

test('every reason of Apple is in the table once', () => {
  const words = Object.values(EXPECTED).flatMap((expected) => expected.words)
  expect(APNS_ANSWERS.map(({ reason }) => reason).toSorted()).toEqual(words.toSorted())
  expect(words).toHaveLength(33)
})

test('the time at which a token died is handed on', () => {
  const outcome = outcomeOfApns(
    { status: 410, reason: 'Unregistered', timestamp: 1_700_000_000_000 },
    { id: ID, kind: 'call' },
  )
  expect(outcome).toMatchObject({ kind: 'token_dead', deadSince: 1_700_000_000_000 })
})

test('a pause that Apple asks for is handed on with a retry only', () => {
  const pause = { retryAfterMs: 3_000 }
  expect(
    outcomeOfApns({ status: 429, reason: 'TooManyRequests', ...pause }, { id: ID, kind: 'call' }),
  ).toMatchObject(pause)
  expect(outcomeOfApns({ status: 503, ...pause }, { id: ID, kind: 'call' })).toMatchObject(pause)
  expect(
    outcomeOfApns({ status: 400, reason: 'BadTopic', ...pause }, { id: ID, kind: 'call' }),
  ).not.toHaveProperty('retryAfterMs')
})

test.each([
  [429, 'TooManyRequests'],
  [429, 'TooManyProviderTokenUpdates'],
  [429, 'Tomorrow'],
])('where Apple names no pause with %i %s, a message waits longer than a call', (status, reason) => {
  const pauseOf = (kind: 'call' | 'message') => outcomeOfApns({ status, reason }, { id: ID, kind })
  expect(pauseOf('call')).toMatchObject({ kind: 'retry', retryAfterMs: 1_000 })
  expect(pauseOf('message')).toMatchObject({ kind: 'retry', retryAfterMs: 10_000 })
})

test.each([
  [400, 'Unregistered', 'rejected', 'message'],
  [410, 'BadDeviceToken', 'rejected', 'message'],
  [410, undefined, 'rejected', 'message'],
  [404, 'Unregistered', 'rejected', 'config'],
  [401, 'Tomorrow', 'rejected', 'config'],
  [403, 'Tomorrow', 'rejected', 'config'],
  [301, undefined, 'rejected', 'message'],
  [418, 'Teapot', 'rejected', 'message'],
  [429, 'Tomorrow', 'retry', 'transient'],
  [408, undefined, 'retry', 'transient'],
  [500, 'Unregistered', 'retry', 'transient'],
  [502, undefined, 'retry', 'transient'],
] as const)('%i with the undocumented reason %s never costs a token', (status, reason, kind, fault) => {
  const outcome = outcomeOfApns({ status, ...(reason !== undefined && { reason }) }, { id: ID, kind: 'call' })
  expect(outcome).toMatchObject({ kind, class: fault, status, reason: reason ?? `status_${status}` })
})

const UNKNOWN: readonly ApnsEnding[] = ['no_answer', 'deadline', 'connection_lost', 'unreadable_answer']

test.each(Object.keys(APNS_ENDINGS) as ApnsEnding[])(
  'the ending %s counts by whether the push can have arrived',
  (ending) => {
    const isUnknown = UNKNOWN.includes(ending)
    const { detail, action } = APNS_ENDINGS[ending]
    expect(action).toBe(isUnknown ? 'hold' : 'retry')
    expect(detail).toMatch(/^[A-Z].+\.$/)
    expect(outcomeOfApns({ ending }, { id: ID, kind: 'call' })).toEqual({
      kind: isUnknown ? 'unknown' : 'retry',
      class: isUnknown ? 'unknown' : 'transient',
      reason: ending,
      detail,
    })
  },
)

test('an ending names the fault by its code, and its status if there was one', () => {
  expect(
    outcomeOfApns({ ending: 'connection_failed', code: 'ECONNREFUSED' }, { id: ID, kind: 'call' }),
  ).toMatchObject({
    detail: "Apple's gateway cannot be reached (ECONNREFUSED).",
  })
  expect(outcomeOfApns({ ending: 'unreadable_answer', status: 200 }, { id: ID, kind: 'call' })).toMatchObject(
    { status: 200 },
  )
})

describe('what @parse/node-apn reports in place of an answer', () => {
  const withCause = (message: string, cause: Error & { code?: string }) =>
    Object.assign(new Error(message), { cause: () => cause })
  const withCode = (code: string) => Object.assign(new Error(`broken at /3/device/abcdef`), { code })
  const failed = 'apn write failed'

  test.each<[string, Parameters<typeof readFailedEntry>[0], Whereabouts, object]>([
    ['a time-out', { error: new Error('apn write timeout') }, 'left', { ending: 'no_answer' }],
    [
      'a time-out while connecting',
      { error: new Error('apn write timeout') },
      'not_connected',
      { ending: 'connect_timeout' },
    ],
    ['an exception', { code: 'ERR_X' }, 'left', { ending: 'connection_closed', code: 'ERR_X' }],
    ['nothing at all', {}, 'left', { ending: 'connection_closed' }],
    ['a shutdown', { error: new Error('client is destroyed') }, 'left', { ending: 'connection_closed' }],
    [
      'a stream that was refused',
      { error: withCause(failed, new Error('Stream closed with error code NGHTTP2_REFUSED_STREAM')) },
      'left',
      { ending: 'stream_refused' },
    ],
    [
      'a connection that was never there',
      { error: withCause(failed, withCode('ERR_HTTP2_STREAM_CANCEL')) },
      'not_connected',
      { ending: 'connection_failed', code: 'ERR_HTTP2_STREAM_CANCEL' },
    ],
    [
      'a turn that never came',
      { error: new Error('apn write timeout') },
      'waiting',
      { ending: 'not_sent_in_time' },
    ],
    [
      'a connection that was replaced while the push was on it',
      { error: withCause(failed, withCode('ERR_HTTP2_STREAM_CANCEL')) },
      'left',
      { ending: 'connection_lost', code: 'ERR_HTTP2_STREAM_CANCEL' },
    ],
    [
      'a connection that broke',
      { error: withCause(failed, withCode('ECONNRESET')) },
      'left',
      { ending: 'connection_lost', code: 'ECONNRESET' },
    ],
    ['an abort', { error: new Error('apn write aborted') }, 'left', { ending: 'connection_lost' }],
    [
      'an answer that was taken for that to another push',
      { status: 410, response: { reason: 'Unregistered' } },
      'left',
      { status: 410, reason: 'Unregistered' },
    ],
    ['such an answer without a reason', { status: 500, error: new Error('x') }, 'left', { status: 500 }],
  ])('%s', (_what, entry, whereabouts, reply) => {
    expect(readFailedEntry(entry, whereabouts)).toEqual(reply)
  })
})
