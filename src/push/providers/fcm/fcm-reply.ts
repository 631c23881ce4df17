import type { FcmEnding } from './fcm-endings.ts'

/** What comes back from Google: all that the rest of this folder knows about the connection. */

/** https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
export interface FcmRefusal {
  /** HTTP status. */
  status: number
  /** Parsed JSON, or the text of a body that is none; `undefined` when it could not be read. */
  body: unknown
  /** The pause that was asked for, ms. */
  retryAfterMs?: number
}

/** No answer that can be read. */
export interface FcmFailure {
  ending: FcmEnding
  /** What Node, firebase-admin or Google's token endpoint call the fault. */
  code?: string
  /** HTTP status, when there was one. */
  status?: number
}

/** `messageId` is the name that Google gave the message. */
export type FcmReply = { messageId: string } | FcmRefusal | FcmFailure
