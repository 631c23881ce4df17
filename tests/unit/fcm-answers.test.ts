import { FCM_ANSWERS, type FcmRow } from '../../src/push/providers/fcm/fcm-answers.ts'
import { FCM_ENDINGS, type FcmEnding } from '../../src/push/providers/fcm/fcm-endings.ts'
import { outcomeOfFcm } from '../../src/push/providers/fcm/fcm-outcomes.ts'

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError'
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'

interface Written {
  status?: string | undefined
  message?: string
  errorCode?: string | undefined
  field?: string | undefined
}

const bodyOf = ({ status, message = 'no', errorCode, field }: Written) => ({
  error: {
    message,
    status,
    details: [
      { '@type': 'type.googleapis.com/google.rpc.Help', links: [] },
      ...(field === undefined ? [] : [{ '@type': BAD_REQUEST, fieldViolations: [{ field }] }]),
      ...(errorCode === undefined ? [] : [{ '@type': FCM_ERROR, errorCode }]),
    ],
  },
})

const refused = (status: number, written: Written, retryAfterMs?: number) =>
  outcomeOfFcm({ status, body: bodyOf(written), ...(retryAfterMs !== undefined && { retryAfterMs }) })

/** Written down a second time: `<from> <status> <word>[ about the token]` and what becomes of the push. */
const EXPECTED: Record<string, string> = {
  'fcm 404 UNREGISTERED': 'token_dead token drop_token',
  'fcm 400 INVALID_ARGUMENT about the token': 'rejected token quarantine_token',
  'fcm 400 INVALID_ARGUMENT': 'rejected message fail',
  'fcm 403 SENDER_ID_MISMATCH': 'rejected token quarantine_token',
  'fcm 429 QUOTA_EXCEEDED': 'retry transient spare_phone',
  'fcm 503 UNAVAILABLE': 'retry transient retry',
  'fcm 500 INTERNAL': 'retry transient retry',
  'fcm 500 UNSPECIFIED_ERROR': 'retry transient retry',
  'fcm 401 THIRD_PARTY_AUTH_ERROR': 'rejected config alarm',
  'google 400 INVALID_ARGUMENT about the token': 'rejected token quarantine_token',
  'google 400 INVALID_ARGUMENT': 'rejected message fail',
  'google 401 UNAUTHENTICATED': 'rejected config alarm',
  'google 403 PERMISSION_DENIED': 'rejected config alarm',
  'google 404 NOT_FOUND': 'rejected config alarm',
  'google 429 RESOURCE_EXHAUSTED': 'retry transient wait',
  'google 500 INTERNAL': 'retry transient retry',
  'google 503 UNAVAILABLE': 'retry transient retry',
}

const nameOf = ({ from, status, reason, about }: FcmRow) =>
  `${from} ${status} ${reason}${about === undefined ? '' : ' about the token'}`

test('an accepted message has the name that Google gave it', () => {
  expect(outcomeOfFcm({ messageId: 'projects/p/messages/1' })).toEqual({
    kind: 'accepted',
    providerId: 'projects/p/messages/1',
  })
})

test.each(FCM_ANSWERS.map((row) => [nameOf(row), row] as const))('%s', (name, row) => {
  const { from, status, reason, about, action, detail } = row
  const field = about === undefined ? undefined : 'message.token'
  const outcome = refused(status, { ...(from === 'fcm' ? { errorCode: reason } : { status: reason }), field })
  const fault = 'class' in outcome ? outcome.class : undefined
  expect(`${outcome.kind} ${fault} ${action}`).toBe(EXPECTED[name])
  expect(outcome).toEqual({
    kind: outcome.kind,
    class: row.class,
    status,
    reason,
    detail,
    ...(status === 429 && { retryAfterMs: 60_000 }),
    ...(reason === 'QUOTA_EXCEEDED' && { isOfPhone: true }),
  })
  expect(detail).toMatch(/^[A-Z].+\.$/)
})

test('every word of Google is in the table once', () => {
  expect(FCM_ANSWERS.map(nameOf).toSorted()).toEqual(Object.keys(EXPECTED).toSorted())
})

test('the same code means the token when Google names its field, or says so in words', () => {
  const suspect = { kind: 'rejected', class: 'token', reason: 'INVALID_ARGUMENT' }
  const ours = { kind: 'rejected', class: 'message', reason: 'INVALID_ARGUMENT' }
  const message = 'The registration token is not a valid FCM registration token'
  const code = { errorCode: 'INVALID_ARGUMENT' }
  expect(refused(400, { ...code, field: 'message.token' })).toMatchObject(suspect)
  expect(refused(400, { ...code, field: 'message.fid' })).toMatchObject(suspect)
  expect(refused(400, { ...code, message })).toMatchObject(suspect)
  expect(refused(400, { ...code, field: 'message.data' })).toMatchObject(ours)
  expect(refused(403, { ...code, field: 'message.token' })).toMatchObject(ours)
})

test('a dead token has no time, because Google tells none', () => {
  expect(refused(404, { errorCode: 'UNREGISTERED' })).not.toHaveProperty('deadSince')
})

test.each([
  [400, 'UNREGISTERED', 'rejected', 'message'],
  [410, 'UNREGISTERED', 'rejected', 'message'],
  [503, 'UNREGISTERED', 'retry', 'transient'],
  [500, 'SENDER_ID_MISMATCH', 'retry', 'transient'],
  [404, 'TOMORROW', 'rejected', 'config'],
  [418, 'TOMORROW', 'rejected', 'message'],
  [502, 'TOMORROW', 'retry', 'transient'],
] as const)('%i %s is not documented and never costs a token', (status, errorCode, kind, fault) => {
  expect(refused(status, { errorCode })).toMatchObject({ kind, class: fault, status, reason: errorCode })
})

test('without Retry-After an exhausted quota waits for a minute', () => {
  expect(refused(429, { errorCode: 'QUOTA_EXCEEDED' })).toMatchObject({ retryAfterMs: 60_000 })
  expect(refused(429, { errorCode: 'TOMORROW' })).toMatchObject({ retryAfterMs: 60_000 })
  expect(outcomeOfFcm({ status: 429, body: '<html>' })).toMatchObject({ retryAfterMs: 60_000 })
  expect(refused(429, { errorCode: 'QUOTA_EXCEEDED' }, 7_000)).toMatchObject({ retryAfterMs: 7_000 })
  expect(refused(503, { errorCode: 'UNAVAILABLE' })).not.toHaveProperty('retryAfterMs')
})

test.each([
  ['a page', '<!DOCTYPE html>'],
  ['no body', ''],
  ['a body that could not be read', undefined],
  ['another JSON', { error: 'no' }],
  ['null', null],
  ['null as the error', { error: null }],
])('%s is judged by its status, and says nothing about the token', (_, body) => {
  const judged = (status: number) => outcomeOfFcm({ status, body })
  expect(judged(502)).toMatchObject({ kind: 'retry', class: 'transient', reason: 'status_502', status: 502 })
  expect(judged(404)).toMatchObject({ kind: 'rejected', class: 'config', reason: 'status_404' })
  expect(judged(403)).toMatchObject({ kind: 'rejected', class: 'config', reason: 'status_403' })
  expect(judged(400)).toMatchObject({ kind: 'rejected', class: 'message', reason: 'status_400' })
})

test('odd details do not hide the rest', () => {
  const body = { error: { status: 'NOT_FOUND', message: 4, details: [null, 'x', { '@type': 7 }] } }
  expect(outcomeOfFcm({ status: 404, body })).toMatchObject({ kind: 'rejected', reason: 'NOT_FOUND' })
  const withCode = { error: { details: [{ '@type': FCM_ERROR, errorCode: 'UNREGISTERED' }] } }
  expect(outcomeOfFcm({ status: 404, body: withCode })).toMatchObject({ kind: 'token_dead' })
})

test('what is no word does not become a reason', () => {
  for (const odd of ['', 'x'.repeat(10_000), '<b>', 'fJ3kT0w:APA91bH-token']) {
    expect(refused(503, { errorCode: odd })).toMatchObject({ kind: 'retry', reason: 'status_503' })
    expect(refused(503, { status: odd })).toMatchObject({ kind: 'retry', reason: 'status_503' })
  }
})

test('success that cannot be read may have rung', () => {
  expect(outcomeOfFcm({ status: 200, body: '<!DOCTYPE html>' })).toEqual({
    kind: 'unknown',
    class: 'unknown',
    reason: 'unreadable_answer',
    detail: 'Google gave an answer that cannot be read.',
    status: 200,
  })
})

const ENDINGS: Record<FcmEnding, string> = {
  no_answer: 'unknown unknown',
  connection_lost: 'unknown unknown',
  unreadable_answer: 'unknown unknown',
  connection_failed: 'retry transient',
  not_sent_in_time: 'retry transient',
  shutting_down: 'retry transient',
  no_access_token: 'retry transient',
  access_token_renewed: 'retry provider_token',
  service_account_refused: 'rejected config',
  invalid_message: 'rejected message',
}

test.each(Object.keys(FCM_ENDINGS) as FcmEnding[])('the ending %s', (ending) => {
  const outcome = outcomeOfFcm({ ending, code: 'ECONN' })
  expect(`${outcome.kind} ${'class' in outcome ? outcome.class : ''}`).toBe(ENDINGS[ending])
  const detail = FCM_ENDINGS[ending].detail
  expect(outcome).toMatchObject({ reason: ending, detail: `${detail.slice(0, -1)} (ECONN).` })
})
