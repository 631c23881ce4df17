/** What comes back from Google: all that the rest of this folder knows about the connection. */

/** https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
export interface FcmRefusal {
  /** HTTP status. */
  status: number
  /** Parsed JSON, or the text of a body that is none. */
  body: unknown
  /** The pause that was asked for, ms. */
  retryAfterMs?: number
}

/** No answer: `not_sent` when the message has not left, `unknown` when it may have arrived. */
export interface FcmFailure {
  failure: 'not_sent' | 'unknown' | 'rejected'
  /** A stable word for metrics, in snake case to tell it from Google's. */
  reason: string
  /** A sentence for people; never holds a device token. */
  detail: string
}

/** `messageId` is the name that Google gave the message. */
export type FcmReply = { messageId: string } | FcmRefusal | FcmFailure

export const notSent = (reason: string, detail: string): FcmFailure => ({
  failure: 'not_sent',
  reason,
  detail,
})

export const unknown = (reason: string, detail: string): FcmFailure => ({
  failure: 'unknown',
  reason,
  detail,
})

export const rejected = (reason: string, detail: string): FcmFailure => ({
  failure: 'rejected',
  reason,
  detail,
})
