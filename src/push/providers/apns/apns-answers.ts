import type { Outcome } from '../../push.ts'
import type { ApnsAnswer, ApnsReply } from './apns-reply.ts'

interface ApnsRow {
  status: number
  reason: string
  becomes: Exclude<Outcome['kind'], 'accepted' | 'unknown'>
  detail: string
}

/**
 * Every error that Apple documents, and what it means for a push:
 * https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
 * Only Apple's two words for a dead token end one; a wrong topic, key or environment is our own fault and costs nobody a token.
 */
export const APNS_ANSWERS: readonly ApnsRow[] = [
  row(400, 'BadCollapseId', 'rejected', 'The collapse id is longer than the 64 bytes that Apple allows.'),
  // A sandbox token at the production gateway gets the same word as garbage, so it proves nothing about the token.
  row(400, 'BadDeviceToken', 'rejected', 'Apple does not know this token in this environment.'),
  row(400, 'BadExpirationDate', 'rejected', 'Apple refused the expiration date of the push.'),
  row(400, 'BadMessageId', 'rejected', 'Apple refused the id of the push: it must be a UUID.'),
  row(400, 'BadPriority', 'rejected', 'Apple refused the priority of the push.'),
  row(400, 'BadTopic', 'rejected', 'Apple refused the topic: check the bundle id of the app.'),
  row(
    400,
    'DeviceTokenNotForTopic',
    'rejected',
    'The token belongs to another app than the bundle id names.',
  ),
  row(400, 'DuplicateHeaders', 'rejected', 'A header of the request was sent twice.'),
  row(400, 'IdleTimeout', 'retry', 'Apple closed the connection because it was idle.'),
  row(400, 'InvalidPushType', 'rejected', 'Apple refused the push type.'),
  row(400, 'MissingDeviceToken', 'rejected', 'The request named no device token.'),
  row(400, 'MissingTopic', 'rejected', 'The request named no topic, which this signing key needs.'),
  row(400, 'PayloadEmpty', 'rejected', 'The push had no payload.'),
  row(400, 'TopicDisallowed', 'rejected', 'The signing key may not push to this bundle id.'),
  row(403, 'BadCertificate', 'rejected', 'Apple refused the certificate.'),
  row(403, 'BadCertificateEnvironment', 'rejected', 'The certificate is for the other environment.'),
  row(403, 'BadEnvironmentKeyIdInToken', 'rejected', 'The signing key is limited to the other environment.'),
  row(403, 'BadEnvironmentKeyInToken', 'rejected', 'The signing key is limited to the other environment.'),
  row(403, 'ExpiredProviderToken', 'retry', 'The provider token was too old; a new one is signed.'),
  row(403, 'Forbidden', 'rejected', 'Apple does not allow this action.'),
  row(
    403,
    'InvalidProviderToken',
    'rejected',
    'Apple refused the provider token: check key, team and clock.',
  ),
  row(403, 'MissingProviderToken', 'rejected', 'The request carried no provider token.'),
  row(403, 'UnrelatedKeyIdInToken', 'rejected', 'The signing key is not one of this connection.'),
  row(404, 'BadPath', 'rejected', 'Apple does not know the path of the request.'),
  row(405, 'MethodNotAllowed', 'rejected', 'Apple takes only POST requests.'),
  row(410, 'ExpiredToken', 'token_dead', 'The device token has expired.'),
  row(410, 'Unregistered', 'token_dead', 'The app was removed from the phone.'),
  row(413, 'PayloadTooLarge', 'rejected', 'The payload is larger than Apple allows.'),
  row(429, 'TooManyProviderTokenUpdates', 'retry', 'The provider token was renewed too often.'),
  row(429, 'TooManyRequests', 'retry', 'Too many pushes in a row went to this phone.'),
  row(500, 'InternalServerError', 'retry', 'Apple had an internal error.'),
  row(503, 'ServiceUnavailable', 'retry', "Apple's gateway is overloaded."),
  row(503, 'Shutdown', 'retry', "Apple's gateway is shutting down."),
]

const rows = new Map(APNS_ANSWERS.map((entry) => [`${entry.status} ${entry.reason}`, entry]))

/** @param pushId Stands in as the provider's id when Apple did not echo one: it is the same UUID. */
export function outcomeOfApns(reply: ApnsReply, pushId: string): Outcome {
  if ('status' in reply) return outcomeOfAnswer(reply, pushId)
  const { failure, reason, detail } = reply
  return { kind: failure === 'not_sent' ? 'retry' : 'unknown', reason, detail }
}

function outcomeOfAnswer(answer: ApnsAnswer, pushId: string): Outcome {
  if (answer.status === 200) return { kind: 'accepted', providerId: answer.apnsId ?? pushId }

  const { status, timestamp, retryAfterMs } = answer
  const { becomes, reason, detail } = rows.get(`${status} ${answer.reason}`) ?? undocumented(answer)
  switch (becomes) {
    case 'token_dead':
      return { kind: becomes, reason, detail, ...(timestamp !== undefined && { deadSince: timestamp }) }
    case 'retry':
      return { kind: becomes, reason, detail, ...(retryAfterMs !== undefined && { retryAfterMs }) }
    default:
      return { kind: becomes, reason, detail }
  }
}

/** Words that Apple may add tomorrow are judged by their status, and never cost a token. */
function undocumented({ status, reason }: ApnsAnswer): Omit<ApnsRow, 'status'> {
  const transient = status === 408 || status === 429 || status >= 500
  return {
    reason: reason ?? `status_${status}`,
    becomes: transient ? 'retry' : 'rejected',
    detail: `Apple answered with status ${status} and a reason that Wakeline does not know.`,
  }
}

function row(status: number, reason: string, becomes: ApnsRow['becomes'], detail: string): ApnsRow {
  return { status, reason, becomes, detail }
}
