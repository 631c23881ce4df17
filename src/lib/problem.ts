import { newId } from './ids.ts'

/** What is wrong with a licence key or with its licence, in the order in which it is looked at. */
const LICENSE_CODES = [
  'KEY_MISTYPED',
  'NOT_FOUND',
  'KEY_REPLACED',
  'REVOKED',
  'SUSPENDED',
  'EXPIRED',
] as const

/**
 * Every fault a caller can meet: stable code -> HTTP status and default sentence. The sentences of the FlowPBX wire contract
 * are kept to the letter; a problem may carry a more exact one. `codes`: the exact codes that take the place of this one.
 */
export const PROBLEMS = {
  invalid_request: { status: 400, sentence: 'invalid request body' },
  license_key_required: { status: 400, sentence: 'license_key is required' },
  unknown_app: { status: 400, sentence: 'app_id is not an app of this gateway' },
  unknown_tenant: { status: 400, sentence: 'tenant_id is not a tenant of this gateway' },
  not_confirmed: {
    status: 400,
    sentence: 'this cannot be undone: confirm must be the first letters of the newest key of the licence',
  },
  invalid_webhook_url: { status: 400, sentence: 'url is none that webhooks may go to' },
  unauthorized: { status: 401, sentence: 'authentication required' },
  invalid_credentials: { status: 401, sentence: 'invalid credentials' },
  invalid_authorization_header: { status: 401, sentence: 'invalid authorization header' },
  invalid_token: { status: 401, sentence: 'invalid or expired token' },
  invalid_token_claims: { status: 401, sentence: 'invalid token claims' },
  license_invalid: { status: 403, sentence: 'invalid or expired license key', codes: LICENSE_CODES },
  activation_refused: { status: 403, sentence: 'license key not found or expired', codes: LICENSE_CODES },
  license_refused: {
    status: 403,
    sentence: 'what was wanted goes beyond the licence',
    codes: [
      'INSTALLATION_NOT_FOUND',
      'INSTALLATION_DEACTIVATED',
      'TOO_MANY_EXTENSIONS',
      'ENTITLEMENT_MISSING',
    ],
  },
  seats_taken: {
    status: 403,
    sentence: 'all installations of the licence are in use',
    codes: ['TOO_MANY_INSTALLATIONS'],
  },
  installation_deactivated: {
    status: 403,
    sentence: 'this installation was deactivated',
    codes: ['INSTALLATION_DEACTIVATED'],
  },
  registration_closed: {
    status: 403,
    sentence: 'extensions are made by the PBX, nobody registers himself',
  },
  not_a_participant: { status: 403, sentence: 'this is no conversation of yours' },
  not_your_message: { status: 403, sentence: 'somebody else has said this' },
  not_the_owner: { status: 403, sentence: 'only the owner of the group may do this' },
  forbidden: { status: 403, sentence: 'your role does not allow this' },
  not_entitled: { status: 403, sentence: 'the licence does not include this' },
  too_many_extensions: { status: 403, sentence: 'the licence has no room for another extension' },
  not_found: { status: 404, sentence: 'not found' },
  license_not_found: { status: 404, sentence: 'license key not found or expired', codes: LICENSE_CODES },
  license_unknown: {
    status: 404,
    sentence: 'license key not found',
    codes: ['KEY_MISTYPED', 'NOT_FOUND', 'KEY_REPLACED'],
  },
  unknown_installation: {
    status: 404,
    sentence: 'installation not found',
    codes: ['INSTALLATION_NOT_FOUND'],
  },
  unknown_license: { status: 404, sentence: 'licence not found' },
  unknown_session: { status: 404, sentence: 'session not found' },
  unknown_extension: { status: 404, sentence: 'extension not found' },
  unknown_device: { status: 404, sentence: 'device not found' },
  unknown_device_token: { status: 404, sentence: 'the device has no such token' },
  unknown_call: { status: 404, sentence: 'call not found' },
  unknown_push: { status: 404, sentence: 'push not found' },
  unknown_webhook: { status: 404, sentence: 'webhook not found' },
  unknown_delivery: { status: 404, sentence: 'delivery not found' },
  unknown_box: { status: 404, sentence: 'voicemail box not found' },
  unknown_conversation: { status: 404, sentence: 'conversation not found' },
  unknown_message: { status: 404, sentence: 'message not found' },
  unknown_voicemail: { status: 404, sentence: 'voicemail message not found' },
  method_not_allowed: { status: 405, sentence: 'method not allowed' },
  client_id_reused: { status: 409, sentence: 'this client_id was used for another message' },
  message_deleted: { status: 409, sentence: 'the message was deleted' },
  conversation_direct: { status: 409, sentence: 'a conversation of two people has no members to change' },
  conversation_full: { status: 409, sentence: 'the conversation has as many people as it may have' },
  idempotency_conflict: { status: 409, sentence: 'this Idempotency-Key was used with another request' },
  license_ambiguous: { status: 409, sentence: 'several licences have a key with this prefix: give the id' },
  app_host_taken: { status: 409, sentence: 'app_host belongs to another tenant' },
  app_host_shared: { status: 409, sentence: 'this host is shared, and no tenant can have it alone' },
  sip_domain_taken: { status: 409, sentence: 'sip.domain belongs to another tenant' },
  license_revoked: { status: 409, sentence: 'the licence is revoked, and stays so' },
  license_not_in_force: { status: 409, sentence: 'the licence is not in force' },
  license_perpetual: { status: 409, sentence: 'the licence has no end that could be put off' },
  too_many_keys: {
    status: 409,
    sentence: 'there are 5 keys in use: wait until one has ended, or rotate without an overlap',
  },
  webhook_exists: { status: 409, sentence: 'there is a webhook with this url' },
  too_many_webhooks: { status: 409, sentence: 'there are 5 webhooks, and no more are allowed' },
  box_full: { status: 409, sentence: 'the voicemail box is full' },
  voicemail_full: { status: 409, sentence: 'the voicemail storage of this tenant is full' },
  message_too_long: { status: 409, sentence: 'the recording is longer than the box allows' },
  provisioning_link_spent: { status: 410, sentence: 'this link was used or has expired' },
  body_too_large: { status: 413, sentence: 'request body too large' },
  unsupported_media_type: { status: 415, sentence: 'content type must be application/json' },
  unsupported_media: { status: 415, sentence: 'audio must be a WAV or Ogg Opus recording' },
  range_not_satisfiable: { status: 416, sentence: 'the file has no such range' },
  rate_limited: { status: 429, sentence: 'rate limit exceeded' },
  quota_exceeded: { status: 429, sentence: 'rate limit exceeded' },
  token_rate_limited: { status: 429, sentence: 'rate limit exceeded' },
  login_locked: { status: 429, sentence: 'too many failed logins' },
  too_many_waiting: { status: 429, sentence: 'too many requests wait for events' },
  too_many_holds: { status: 429, sentence: 'too many held calls' },
  too_many_sockets: { status: 429, sentence: 'the extension has as many sockets as it may have' },
  internal: { status: 500, sentence: 'internal error' },
  license_store_away: { status: 500, sentence: 'internal error', codes: ['store_unavailable'] },
  audio_missing: { status: 500, sentence: 'audio file not found' },
  push_failed: { status: 502, sentence: 'push delivery failed' },
  push_not_configured: { status: 503, sentence: 'push service not configured' },
  queue_unavailable: { status: 503, sentence: 'the push queue cannot be reached' },
  storage_unavailable: { status: 503, sentence: 'the file storage cannot be reached' },
  sockets_unavailable: { status: 503, sentence: 'this node takes no more sockets' },
  store_unavailable: { status: 503, sentence: 'the database cannot be reached' },
} as const satisfies Record<string, { status: number; sentence: string; codes?: readonly string[] }>

export type ProblemCode = keyof typeof PROBLEMS

export interface ProblemDetails {
  /** Overrides the default sentence. */
  sentence?: string
  /** Which field of the request is meant, as a path like `extensions.0.number`. */
  field?: string
  /** A more exact code that stands in `code` instead of the problem's own. */
  code?: string
  /** Seconds after which it is worth another try; becomes `Retry-After`. */
  retryAfter?: number
  /** Further keys of the error answer. */
  extra?: Record<string, unknown>
  cause?: unknown
}

/** The one error type for callers. Its id is in the answer and in the log, so that support finds the line. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly id = newId()
  readonly code: string
  readonly status: number
  readonly details: ProblemDetails

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(details.sentence ?? PROBLEMS[code].sentence, { cause: details.cause })
    this.code = details.code ?? code
    this.status = PROBLEMS[code].status
    this.details = details
  }
}
