import { type Judgement, type Verdict, verdicts } from '../verdict.ts'

export type FcmRow = Judgement & {
  /** Who gave the word: FCM in `details`, or Google's APIs as the status of an error that FCM has not seen. */
  from: 'fcm' | 'google'
  /** HTTP status with which it comes. Only a verdict on the token depends on it. */
  status: number
  /** Set when the same word counts only where Google names the token. */
  about?: 'token'
}

const { dropToken, quarantineToken, fail, alarm, retry, wait, sparePhone } = verdicts

/**
 * Every error that Google documents, and what it means for a push.
 * FCM's own: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
 * What to do about them: https://firebase.google.com/docs/cloud-messaging/error-codes
 * Google's statuses: https://cloud.google.com/apis/design/errors
 */
export const FCM_ANSWERS: readonly FcmRow[] = [
  fcm(404, 'UNREGISTERED', dropToken, 'The app was removed from the phone or got a new token.'),
  {
    ...fcm(400, 'INVALID_ARGUMENT', quarantineToken, 'This is not a token that FCM has issued.'),
    about: 'token',
  },
  fcm(400, 'INVALID_ARGUMENT', fail, 'Google refused a field of the message.'),
  fcm(403, 'SENDER_ID_MISMATCH', quarantineToken, 'The token belongs to another Firebase project.'),
  // Google does not say which of the two; one phone must not hold up the others.
  fcm(429, 'QUOTA_EXCEEDED', sparePhone, 'The sending quota of the project or of this phone is used up.'),
  fcm(503, 'UNAVAILABLE', retry, 'FCM is overloaded.'),
  fcm(500, 'INTERNAL', retry, 'FCM had an internal error.'),
  fcm(500, 'UNSPECIFIED_ERROR', retry, 'FCM named no reason.'),
  fcm(
    401,
    'THIRD_PARTY_AUTH_ERROR',
    alarm,
    'The APNs or web push credentials in the Firebase project are wrong.',
  ),
  { ...google(400, 'INVALID_ARGUMENT', quarantineToken, 'This is not a token at all.'), about: 'token' },
  google(400, 'INVALID_ARGUMENT', fail, 'Google refused a field of the message.'),
  google(401, 'UNAUTHENTICATED', alarm, 'Google refused the access token of the service account.'),
  google(
    403,
    'PERMISSION_DENIED',
    alarm,
    'The service account may not send, or the FCM API is not enabled in the project.',
  ),
  // Not the token: without a code of FCM's it is the project or the path that Google has not found.
  google(404, 'NOT_FOUND', alarm, 'Google does not know the Firebase project.'),
  google(429, 'RESOURCE_EXHAUSTED', wait, 'The quota of the project is used up.'),
  google(500, 'INTERNAL', retry, 'FCM had an internal error.'),
  google(503, 'UNAVAILABLE', retry, 'FCM is overloaded.'),
]

function fcm(status: number, reason: string, verdict: Verdict, detail: string): FcmRow {
  return { from: 'fcm', status, reason, ...verdict, detail }
}

function google(status: number, reason: string, verdict: Verdict, detail: string): FcmRow {
  return { from: 'google', status, reason, ...verdict, detail }
}
