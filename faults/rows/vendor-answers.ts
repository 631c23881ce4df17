import type { ApnsAnswer } from '../../src/simulators/apns-protocol.ts'
import type { FcmAnswer } from '../../src/simulators/fcm-protocol.ts'

/** One answer of a vendor to the first try of a push; the next one is accepted. */
export type Trouble = { end: End; callEnds: readonly End[] } & (
  | { provider: 'apns'; answer: ApnsAnswer }
  | { provider: 'fcm'; answer: FcmAnswer }
)

/** How a message ends. Written down from the vendors' pages, not from our tables: what checks must not share an assumption. */
export type End = 'delivered' | 'token_dead' | 'rejected' | 'failed'

const apple = (end: End, status: number, ...reasons: readonly string[]): Trouble[] =>
  reasons.map((reason) => ({ provider: 'apns', end, callEnds: [end], answer: { status, reason } }))
const google = (end: End, answer: FcmAnswer): Trouble => ({ provider: 'fcm', end, callEnds: [end], answer })

/** A person has to mend it: a message has time for that, a call has not. */
const ofUs = (trouble: Trouble): Trouble => ({ ...trouble, callEnds: ['rejected'] })
/** Nobody knows whether the phone has rung, so a call is not sent again. */
const unclear = (trouble: Trouble): Trouble => ({ ...trouble, callEnds: ['failed'] })

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
  ...apple('delivered', 400, 'BadTopic', 'MissingTopic', 'TopicDisallowed').map(ofUs),
  ...apple('delivered', 403, 'BadCertificate', 'BadCertificateEnvironment', 'Forbidden').map(ofUs),
  ...apple('delivered', 403, 'BadEnvironmentKeyIdInToken', 'BadEnvironmentKeyInToken').map(ofUs),
  ...apple('delivered', 403, 'InvalidProviderToken', 'MissingProviderToken').map(ofUs),
  ...apple('delivered', 403, 'UnrelatedKeyIdInToken').map(ofUs),
  ...apple('delivered', 403, 'ExpiredProviderToken'),
  ...apple('rejected', 404, 'BadPath'),
  ...apple('rejected', 405, 'MethodNotAllowed'),
  ...apple('token_dead', 410, 'ExpiredToken', 'Unregistered'),
  // A call has little to trim.
  ...apple('delivered', 413, 'PayloadTooLarge').map(
    (trouble): Trouble => ({ ...trouble, callEnds: ['delivered', 'rejected'] }),
  ),
  ...apple('delivered', 429, 'TooManyProviderTokenUpdates', 'TooManyRequests'),
  ...apple('delivered', 500, 'InternalServerError'),
  ...apple('delivered', 503, 'ServiceUnavailable', 'Shutdown'),
  unclear({ provider: 'apns', end: 'delivered', callEnds: [], answer: { reset: true } }),
  { provider: 'apns', end: 'delivered', callEnds: ['delivered'], answer: { goaway: true } },
  google('rejected', { status: 400, errorCode: 'INVALID_ARGUMENT', field: 'message.data' }),
  google('rejected', { status: 400, errorCode: 'INVALID_ARGUMENT', field: 'message.token' }),
  google('rejected', { status: 400 }),
  google('rejected', { status: 403, errorCode: 'SENDER_ID_MISMATCH' }),
  google('token_dead', { status: 404, errorCode: 'UNREGISTERED' }),
  // Without the header Google's clients wait for a minute.
  google('delivered', { status: 429, errorCode: 'QUOTA_EXCEEDED', headers: { 'retry-after': '2' } }),
  google('delivered', { status: 429, headers: { 'retry-after': '2' } }),
  google('delivered', { status: 500, errorCode: 'INTERNAL' }),
  google('delivered', { status: 500, errorCode: 'UNSPECIFIED_ERROR' }),
  google('delivered', { status: 503, errorCode: 'UNAVAILABLE' }),
  ofUs(google('delivered', { status: 401, errorCode: 'THIRD_PARTY_AUTH_ERROR' })),
  ofUs(google('delivered', { status: 401 })),
  ofUs(google('delivered', { status: 403 })),
  ofUs(google('delivered', { status: 404 })),
  google('delivered', { status: 502, html: true }),
  unclear(google('delivered', { reset: true })),
]

const HUGE = 'x'.repeat(10_000_000)

/** What no page of theirs mentions. An error of the server is tried again; what looks like ours is not. */
export const UNDOCUMENTED: readonly Trouble[] = [
  ...apple('rejected', 400, 'ReasonOfNextYear'),
  ...apple('rejected', 418, 'IAmATeapot'),
  ...apple('delivered', 500, 'ReasonOfNextYear'),
  { provider: 'apns', end: 'rejected', callEnds: ['rejected'], answer: { status: 400, body: '{"reason":' } },
  { provider: 'apns', end: 'delivered', callEnds: ['delivered'], answer: { status: 503, body: '' } },
  { provider: 'apns', end: 'delivered', callEnds: ['delivered'], answer: { status: 500, body: '<html>' } },
  { provider: 'apns', end: 'delivered', callEnds: ['delivered'], answer: { status: 503, body: HUGE } },
  google('rejected', { status: 418, body: '{}' }),
  google('delivered', { status: 500, body: '' }),
  google('delivered', { status: 503, body: '{"error":' }),
  google('delivered', { status: 500, body: '{"error":{"status":"STATUS_OF_NEXT_YEAR"}}' }),
  google('delivered', { status: 503, body: HUGE }),
]
