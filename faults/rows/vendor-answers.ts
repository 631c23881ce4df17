import type { ApnsAnswer } from '../../src/simulators/apns-protocol.ts'
import type { FcmAnswer } from '../../src/simulators/fcm-protocol.ts'

/** One answer of a vendor to the first try of a message; the next one is accepted. */
export type Trouble =
  | { provider: 'apns'; answer: ApnsAnswer; end: End }
  | { provider: 'fcm'; answer: FcmAnswer; end: End }

/** How the message ends. Written down from the vendors' pages, not from our tables: what checks must not share an assumption. */
export type End = 'delivered' | 'token_dead' | 'rejected' | 'failed'

const apple = (end: End, status: number, ...reasons: readonly string[]): Trouble[] =>
  reasons.map((reason) => ({ provider: 'apns', end, answer: { status, reason } }))
const google = (end: End, answer: FcmAnswer): Trouble => ({ provider: 'fcm', end, answer })

/**
 * What is wrong with the push or its token ends it. What is wrong with the vendor or with our account is tried again, and so is what
 * Apple's other gateway or a smaller payload may mend.
 * https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
 * https://firebase.google.com/docs/cloud-messaging/error-codes
 */
export const DOCUMENTED: readonly Trouble[] = [
  ...apple('rejected', 400, 'BadCollapseId', 'BadExpirationDate', 'BadMessageId', 'BadPriority'),
  ...apple('rejected', 400, 'DuplicateHeaders', 'InvalidPushType', 'MissingDeviceToken', 'PayloadEmpty'),
  ...apple('rejected', 400, 'DeviceTokenNotForTopic'),
  ...apple('delivered', 400, 'BadDeviceToken', 'IdleTimeout'),
  ...apple('delivered', 400, 'BadTopic', 'MissingTopic', 'TopicDisallowed'),
  ...apple('delivered', 403, 'BadCertificate', 'BadCertificateEnvironment', 'BadEnvironmentKeyIdInToken'),
  ...apple('delivered', 403, 'ExpiredProviderToken', 'Forbidden', 'InvalidProviderToken'),
  ...apple('delivered', 403, 'MissingProviderToken', 'UnrelatedKeyIdInToken'),
  ...apple('rejected', 404, 'BadPath'),
  ...apple('rejected', 405, 'MethodNotAllowed'),
  ...apple('token_dead', 410, 'ExpiredToken', 'Unregistered'),
  ...apple('delivered', 413, 'PayloadTooLarge'),
  ...apple('delivered', 429, 'TooManyProviderTokenUpdates', 'TooManyRequests'),
  ...apple('delivered', 500, 'InternalServerError'),
  ...apple('delivered', 503, 'ServiceUnavailable', 'Shutdown'),
  { provider: 'apns', end: 'delivered', answer: { reset: true } },
  { provider: 'apns', end: 'delivered', answer: { goaway: true } },
  google('rejected', { status: 400, errorCode: 'INVALID_ARGUMENT', field: 'message.data' }),
  google('rejected', { status: 400, errorCode: 'INVALID_ARGUMENT', field: 'message.token' }),
  google('rejected', { status: 403, errorCode: 'SENDER_ID_MISMATCH' }),
  google('token_dead', { status: 404, errorCode: 'UNREGISTERED' }),
  // Without the header Google's clients wait for a minute.
  google('delivered', { status: 429, errorCode: 'QUOTA_EXCEEDED', headers: { 'retry-after': '2' } }),
  google('delivered', { status: 500, errorCode: 'INTERNAL' }),
  google('delivered', { status: 503, errorCode: 'UNAVAILABLE' }),
  google('delivered', { status: 401, errorCode: 'THIRD_PARTY_AUTH_ERROR' }),
  google('delivered', { status: 401 }),
  google('delivered', { status: 502, html: true }),
  google('delivered', { reset: true }),
]

const HUGE = 'x'.repeat(10_000_000)

/** What no page of theirs mentions. An error of the server is tried again; what looks like ours is not. */
export const UNDOCUMENTED: readonly Trouble[] = [
  ...apple('rejected', 400, 'ReasonOfNextYear'),
  ...apple('rejected', 418, 'IAmATeapot'),
  ...apple('delivered', 500, 'ReasonOfNextYear'),
  { provider: 'apns', end: 'rejected', answer: { status: 400, body: '{"reason":' } },
  { provider: 'apns', end: 'delivered', answer: { status: 503, body: '' } },
  { provider: 'apns', end: 'delivered', answer: { status: 500, body: '<html>' } },
  { provider: 'apns', end: 'delivered', answer: { status: 503, body: HUGE } },
  google('rejected', { status: 418, body: '{}' }),
  google('delivered', { status: 500, body: '' }),
  google('delivered', { status: 503, body: '{"error":' }),
  google('delivered', { status: 500, body: '{"error":{"status":"STATUS_OF_NEXT_YEAR"}}' }),
  google('delivered', { status: 503, body: HUGE }),
]
