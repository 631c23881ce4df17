import { FCM_ERROR_CODES, GOOGLE_STATUSES, outcomeOfFcm } from '../../src/push/providers/fcm/fcm-answers.ts'

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError'
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'

interface Written {
  status?: string
  message?: string
  errorCode?: string
  field?: string
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

test('an accepted message has the name that Google gave it', () => {
  expect(outcomeOfFcm({ messageId: 'projects/p/messages/1' })).toEqual({
    kind: 'accepted',
    providerId: 'projects/p/messages/1',
  })
})

test.each([
  [404, 'NOT_FOUND', 'UNREGISTERED', 'token_dead'],
  [400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'rejected'],
  [403, 'PERMISSION_DENIED', 'SENDER_ID_MISMATCH', 'rejected'],
  [401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR', 'rejected'],
  [429, 'RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', 'retry'],
  [503, 'UNAVAILABLE', 'UNAVAILABLE', 'retry'],
  [500, 'INTERNAL', 'INTERNAL', 'retry'],
  [400, 'UNKNOWN', 'UNSPECIFIED_ERROR', 'retry'],
] as const)('%i %s with the FCM code %s', (status, google, errorCode, kind) => {
  const row = FCM_ERROR_CODES.find(({ code }) => code === errorCode)
  expect(refused(status, { status: google, errorCode })).toMatchObject({
    kind,
    reason: errorCode,
    detail: row?.detail,
  })
})

test.each([
  [400, 'INVALID_ARGUMENT', 'rejected'],
  [401, 'UNAUTHENTICATED', 'rejected'],
  [403, 'PERMISSION_DENIED', 'rejected'],
  [404, 'NOT_FOUND', 'rejected'],
  [429, 'RESOURCE_EXHAUSTED', 'retry'],
  [503, 'UNAVAILABLE', 'retry'],
  [500, 'INTERNAL', 'retry'],
] as const)('%i %s without a code of FCM', (status, google, kind) => {
  expect(refused(status, { status: google })).toMatchObject({ kind, reason: google })
})

test('both tables are walked', () => {
  expect([FCM_ERROR_CODES.length, GOOGLE_STATUSES.length]).toEqual([8, 7])
})

test('the same code means the token when Google names its field, or says so in words', () => {
  const dead = { kind: 'token_dead', reason: 'INVALID_ARGUMENT' }
  const message = 'The registration token is not a valid FCM registration token'
  const code = { errorCode: 'INVALID_ARGUMENT' }
  expect(refused(400, { ...code, field: 'message.token' })).toMatchObject(dead)
  expect(refused(400, { ...code, message })).toMatchObject(dead)
  expect(refused(400, { ...code, field: 'message.data' })).toMatchObject({ kind: 'rejected' })
  expect(refused(403, { ...code, field: 'message.token' })).toMatchObject({ kind: 'rejected' })
})

test('a dead token has no time, because Google tells none', () => {
  expect(refused(404, { errorCode: 'UNREGISTERED' })).not.toHaveProperty('deadSince')
})

test.each([
  [400, 'UNREGISTERED', 'rejected'],
  [410, 'UNREGISTERED', 'rejected'],
  [503, 'UNREGISTERED', 'retry'],
  [404, 'TOMORROW', 'rejected'],
  [429, 'TOMORROW', 'retry'],
  [502, 'TOMORROW', 'retry'],
] as const)('%i %s is not documented and never costs a token', (status, errorCode, kind) => {
  expect(refused(status, { errorCode })).toMatchObject({ kind, reason: errorCode })
})

test('without Retry-After an exhausted quota waits for a minute', () => {
  expect(refused(429, { errorCode: 'QUOTA_EXCEEDED' })).toMatchObject({ retryAfterMs: 60_000 })
  expect(refused(429, { errorCode: 'QUOTA_EXCEEDED' }, 7_000)).toMatchObject({ retryAfterMs: 7_000 })
  expect(refused(503, { errorCode: 'UNAVAILABLE' })).not.toHaveProperty('retryAfterMs')
})

test.each([
  ['a page', '<!DOCTYPE html>'],
  ['no body', ''],
  ['another JSON', { error: 'no' }],
  ['null', null],
])('%s comes from something before FCM and is tried again', (_, body) => {
  expect(outcomeOfFcm({ status: 502, body })).toMatchObject({ kind: 'retry', reason: 'status_502' })
  expect(outcomeOfFcm({ status: 404, body })).toMatchObject({ kind: 'retry', reason: 'status_404' })
})

test('odd details do not hide the rest', () => {
  const body = { error: { status: 'NOT_FOUND', message: 4, details: [null, 'x', { '@type': 7 }] } }
  expect(outcomeOfFcm({ status: 404, body })).toMatchObject({ kind: 'rejected', reason: 'NOT_FOUND' })
  const withCode = { error: { details: [{ '@type': FCM_ERROR, errorCode: 'UNREGISTERED' }] } }
  expect(outcomeOfFcm({ status: 404, body: withCode })).toMatchObject({ kind: 'token_dead' })
})

test('success that cannot be read may have rung', () => {
  expect(outcomeOfFcm({ status: 200, body: '<!DOCTYPE html>' })).toMatchObject({ kind: 'unknown' })
})
