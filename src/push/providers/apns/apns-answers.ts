import { type Judgement, type Verdict, verdicts } from '../verdict.ts'

/** An error of Apple's, by status and word. */
export type ApnsRow = Judgement & { status: number }

const { dropToken, quarantineToken, tryOtherEnvironment, fail, trimAndResend, alarm, retry, sparePhone } =
  verdicts

/**
 * Every error that Apple documents, and what it means for a push:
 * https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
 * Only Apple's two words for a dead token end one; a wrong topic, key or environment is our own fault and costs nobody a token.
 */
export const APNS_ANSWERS: readonly ApnsRow[] = [
  row(400, 'BadCollapseId', fail, 'The collapse id is longer than the 64 bytes that Apple allows.'),
  // A sandbox token at the production gateway gets the same word as garbage, so it proves nothing about the token.
  row(400, 'BadDeviceToken', tryOtherEnvironment, 'Apple does not know this token in this environment.'),
  row(400, 'BadExpirationDate', fail, 'Apple refused the expiration date of the push.'),
  row(400, 'BadMessageId', fail, 'Apple refused the id of the push: it must be a UUID.'),
  row(400, 'BadPriority', fail, 'Apple refused the priority of the push.'),
  row(400, 'BadTopic', alarm, 'Apple refused the topic: check the bundle id of the app.'),
  row(
    400,
    'DeviceTokenNotForTopic',
    quarantineToken,
    'The token belongs to another app than the bundle id names.',
  ),
  row(400, 'DuplicateHeaders', fail, 'A header of the request was sent twice.'),
  row(400, 'IdleTimeout', retry, 'Apple closed the connection because it was idle.'),
  row(400, 'InvalidPushType', fail, 'Apple refused the push type.'),
  row(400, 'MissingDeviceToken', fail, 'The request named no device token.'),
  row(400, 'MissingTopic', alarm, 'The request named no topic, which this signing key needs.'),
  row(400, 'PayloadEmpty', fail, 'The push had no payload.'),
  row(400, 'TopicDisallowed', alarm, 'The signing key may not push to this bundle id.'),
  row(403, 'BadCertificate', alarm, 'Apple refused the certificate.'),
  row(403, 'BadCertificateEnvironment', alarm, 'The certificate is for the other environment.'),
  // Apple's page has the first spelling, its gateways were seen to send the second.
  row(403, 'BadEnvironmentKeyIdInToken', alarm, 'The signing key is limited to the other environment.'),
  row(403, 'BadEnvironmentKeyInToken', alarm, 'The signing key is limited to the other environment.'),
  row(
    403,
    'ExpiredProviderToken',
    verdicts.renewProviderToken,
    'The provider token was too old; a new one is signed.',
  ),
  row(403, 'Forbidden', alarm, 'Apple does not allow this action.'),
  row(403, 'InvalidProviderToken', alarm, 'Apple refused the provider token: check key, team and clock.'),
  row(403, 'MissingProviderToken', alarm, 'The request carried no provider token.'),
  row(403, 'UnrelatedKeyIdInToken', alarm, 'The signing key is not one of this connection.'),
  row(404, 'BadPath', fail, 'Apple does not know the path of the request.'),
  row(405, 'MethodNotAllowed', fail, 'Apple takes only POST requests.'),
  row(410, 'ExpiredToken', dropToken, 'The device token has expired.'),
  row(410, 'Unregistered', dropToken, 'The app was removed from the phone.'),
  row(413, 'PayloadTooLarge', trimAndResend, 'The payload is larger than Apple allows.'),
  row(
    429,
    'TooManyProviderTokenUpdates',
    verdicts.keepProviderToken,
    'The provider token was renewed too often; the last good one stays in use.',
  ),
  row(429, 'TooManyRequests', sparePhone, 'Too many pushes in a row went to this phone.'),
  row(500, 'InternalServerError', retry, 'Apple had an internal error.'),
  row(503, 'ServiceUnavailable', retry, "Apple's gateway is overloaded."),
  row(503, 'Shutdown', retry, "Apple's gateway is shutting down."),
]

function row(status: number, reason: string, verdict: Verdict, detail: string): ApnsRow {
  return { status, reason, ...verdict, detail }
}
