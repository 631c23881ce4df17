import type { KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import type { AcceptedPush } from './push-listeners.ts'

/** Codes in `error.details[]` of the type FcmError: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
export type FcmErrorCode =
  | 'UNSPECIFIED_ERROR'
  | 'INVALID_ARGUMENT'
  | 'UNREGISTERED'
  | 'SENDER_ID_MISMATCH'
  | 'QUOTA_EXCEEDED'
  | 'UNAVAILABLE'
  | 'INTERNAL'
  | 'THIRD_PARTY_AUTH_ERROR'

/** Names of the statuses in `error.status`: https://cloud.google.com/apis/design/errors */
const STATUS_NAME: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
}

/** An error of Google's, before it is written as JSON. */
export interface FcmFault {
  status: number
  message: string
  errorCode?: FcmErrorCode
  /** The field of the request that is wrong, like `message.token`. */
  field?: string
}

/** `status` 0 means that no answer was given, and `errorCode` says why. */
export interface FcmVerdict {
  status: number
  errorCode?: string
}

/** `token` is the installation id of a message that was sent to one. */
export interface FcmReceived extends AcceptedPush {
  /** Milliseconds on the simulator's monotonic clock, when the headers had arrived. */
  receivedAtMonotonic: number
  /** `message` of the request; empty when there was none. */
  message: Readonly<Record<string, unknown>>
  validateOnly: boolean
  headers: IncomingHttpHeaders
  verdict: FcmVerdict
  /** Counts connections from 1. */
  connectionId: number
}

export type FcmAnswer =
  | {
      status: number
      errorCode?: FcmErrorCode
      message?: string
      field?: string
      headers?: Readonly<Record<string, string>>
      /** A page in place of JSON, as Google's front ends answer with 502. */
      html?: boolean
      /** In place of what belongs to the status, byte for byte. */
      body?: string
      /** Milliseconds to wait before the answer; the phone gets an accepted push after them too. */
      delayMs?: number
    }
  /** The phone gets the push and the sender never an answer. */
  | { silent: true }
  /** The connection breaks. */
  | { reset: true }

export interface FcmSimulatorOptions {
  projectId: string
  /** Whose assertions get an access token: a service account of the project. */
  serviceAccount: { clientEmail: string; publicKey: KeyObject }
  /** PEM. */
  certificates: { cert: string; key: string }
  /** 0, the default, takes a free port. */
  port?: number
  /** How many requests are kept in `received` (default 100,000); `false` keeps none. */
  record?: number | false
  /** Access tokens made with the same secret are good after a restart too, as Google's are. Random by default. */
  accessTokenSecret?: Buffer
  /** Seconds; Google's default of 3,599. */
  accessTokenLifetime?: number
  clock?: Clock
}

const ERROR_TYPE = 'type.googleapis.com/google.firebase.fcm.v1.FcmError'
const BAD_REQUEST_TYPE = 'type.googleapis.com/google.rpc.BadRequest'

/** The error body of Google's APIs: https://cloud.google.com/apis/design/errors#http_mapping */
export function errorBody({ status, message, errorCode, field }: FcmFault): string {
  const details = [
    ...(errorCode === undefined ? [] : [{ '@type': ERROR_TYPE, errorCode }]),
    ...(field === undefined
      ? []
      : [{ '@type': BAD_REQUEST_TYPE, fieldViolations: [{ field, description: message }] }]),
  ]
  const error = { code: status, message, status: STATUS_NAME[status] ?? 'UNKNOWN' }
  return JSON.stringify({ error: details.length === 0 ? error : { ...error, details } })
}

/** Exactly one of them addresses a message: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages */
export const TARGETS = ['token', 'topic', 'condition', 'fid'] as const

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
