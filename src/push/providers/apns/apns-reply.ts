/** What goes to Apple and what comes back: all that the rest of this folder knows about the connection. */

/** https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns */
export interface ApnsRequest {
  /** Hexadecimal digits: it becomes part of the path. */
  token: string
  /** `apns-id`: a UUID in lower case; Apple echoes it. */
  id: string
  topic: string
  pushType: 'voip'
  /** 10: at once. */
  priority: 10
  /** Whole seconds since the epoch. */
  expiration: number
  /** JSON in UTF-8. */
  body: string
}

/** Apple's word: https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns */
export interface ApnsAnswer {
  /** HTTP status. */
  status: number
  reason?: string
  /** With 410: when Apple last saw that the token was dead, ms since the epoch. */
  timestamp?: number
  apnsId?: string
  /** The pause that was asked for, ms. */
  retryAfterMs?: number
}

/** No answer: `not_sent` when Apple provably has not processed the request, `unknown` when it may have. */
export interface ApnsFailure {
  failure: 'not_sent' | 'unknown'
  /** A stable word for metrics, in snake case to tell it from Apple's. */
  reason: string
  /** A sentence for people; never holds a device token. */
  detail: string
}

export type ApnsReply = ApnsAnswer | ApnsFailure
