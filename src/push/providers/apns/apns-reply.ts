import type { ApnsEnding } from './apns-endings.ts'

/** What goes to Apple and what comes back: all that the rest of this folder knows about the connection. */

/** https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns */
export interface ApnsRequest {
  /** Hexadecimal digits: it becomes part of the path. */
  token: string
  /** `apns-id`: a UUID in lower case; Apple echoes it. */
  id: string
  topic: string
  pushType: 'voip' | 'alert' | 'background'
  /** 10: at once. 5: when it costs the battery little, which Apple demands of a push that nobody sees. */
  priority: 10 | 5
  /** Whole seconds since the epoch. */
  expiration: number
  /** 64 bytes at most. */
  collapseId?: string
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

/** No answer that can be read. */
export interface ApnsFailure {
  ending: ApnsEnding
  /** What Node calls the fault. */
  code?: string
  /** HTTP status, when there was one. */
  status?: number
}

export type ApnsReply = ApnsAnswer | ApnsFailure
