import type { ApnsAnswer, ApnsEnvironment } from './apns-protocol.ts'
import type { FcmAnswer, FcmErrorCode } from './fcm-protocol.ts'
import type { PhoneApi } from './register-phone.ts'
import type { PhoneBehaviour } from './simulated-phone.ts'

/** Input that was refused; the message is for the caller. */
export class BadInput extends Error {
  override readonly name = 'BadInput'
}

/** What `PUT /phones/{token}` asks for: a phone, a permanent answer, or both. */
export interface PhoneInput {
  platform: 'apns' | 'fcm'
  environment?: ApnsEnvironment
  phone?: { api: PhoneApi; behaviour: PhoneBehaviour }
  answer?: ApnsAnswer & FcmAnswer
}

type Fields = Readonly<Record<string, unknown>>

const PHONE_FIELDS = ['api_url', 'pbx_key', 'extension', 'device_id', 'registers_after_ms', 'declines']
const FIELDS = ['platform', 'environment', 'answer', ...PHONE_FIELDS]
const ANSWER_FIELDS = [
  ...[
    'status',
    'reason',
    'timestamp',
    'error_code',
    'message',
    'field',
    'headers',
    'html',
    'body',
    'delay_ms',
  ],
  ...['silent', 'reset'],
]

const HEADER_NAME = /^[a-z][a-z0-9-]*$/
/** They belong to the connection: HTTP/2 forbids most of them, and the server sets the rest. */
const FRAMING_HEADERS = new Set([
  ...['connection', 'content-length', 'host', 'http2-settings', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
])

/** @throws BadInput when a field is unknown, missing or of the wrong kind. */
export function parsePhoneInput(text: string): PhoneInput {
  const body = parseObject(text)
  refuseUnknown(body, FIELDS)
  const platform = oneOf(body, 'platform', ['apns', 'fcm'] as const)
  const environment =
    body.environment === undefined
      ? undefined
      : oneOf(body, 'environment', ['production', 'sandbox'] as const)
  const answer = body.answer === undefined ? undefined : parseAnswer(body.answer)
  const wantsPhone = PHONE_FIELDS.some((field) => body[field] !== undefined)
  if (!wantsPhone && !answer) throw new BadInput('either an answer or the fields of a phone are required')
  return {
    platform,
    ...(environment && { environment }),
    ...(wantsPhone && { phone: parsePhone(body) }),
    ...(answer && { answer }),
  }
}

function parsePhone(body: Fields): { api: PhoneApi; behaviour: PhoneBehaviour } {
  const url = text(body, 'api_url')
  if (!URL.canParse(url)) throw new BadInput('api_url must be a URL')
  const deviceId = optional(body, 'device_id', text)
  const delay = body.registers_after_ms === null ? 'never' : count(body, 'registers_after_ms')
  return {
    api: {
      url,
      pbxKey: text(body, 'pbx_key'),
      extension: text(body, 'extension'),
      ...(deviceId !== undefined && { deviceId }),
    },
    behaviour: { registersAfterMs: delay, declines: optional(body, 'declines', flag) ?? false },
  }
}

function parseAnswer(value: unknown): ApnsAnswer & FcmAnswer {
  const answer = asObject(value, 'answer')
  refuseUnknown(answer, ANSWER_FIELDS)
  if (optional(answer, 'silent', flag)) return { silent: true }
  if (optional(answer, 'reset', flag)) return { reset: true }
  const given = {
    reason: optional(answer, 'reason', text),
    timestamp: optional(answer, 'timestamp', count),
    // A code that Google does not have is a test of the sender, too.
    errorCode: optional(answer, 'error_code', text) as FcmErrorCode | undefined,
    message: optional(answer, 'message', text),
    field: optional(answer, 'field', text),
    html: optional(answer, 'html', flag),
    body: optional(answer, 'body', textOrNone),
    delayMs: optional(answer, 'delay_ms', count),
    headers: optional(answer, 'headers', headerMap),
  }
  return { status: httpStatus(answer), ...withoutUndefined(given) }
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Optional fields must be absent, not `undefined`. */
const withoutUndefined = <T extends object>(value: T): Given<T> =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Given<T>

function parseObject(json: string): Fields {
  try {
    return asObject(JSON.parse(json), 'the body')
  } catch (error) {
    if (error instanceof BadInput) throw error
    throw new BadInput('the body must be JSON')
  }
}

function asObject(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadInput(`${what} must be a JSON object`)
  }
  return value as Fields
}

function refuseUnknown(fields: Fields, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((key) => !known.includes(key))
  if (unknown !== undefined) throw new BadInput(`${JSON.stringify(unknown)} is not a known field`)
}

function optional<T>(fields: Fields, key: string, parse: (fields: Fields, key: string) => T): T | undefined {
  return fields[key] === undefined ? undefined : parse(fields, key)
}

function text(fields: Fields, key: string): string {
  const value = textOrNone(fields, key)
  if (value === '') throw new BadInput(`${key} must be a text`)
  return value
}

function textOrNone(fields: Fields, key: string): string {
  const value = fields[key]
  if (typeof value !== 'string') throw new BadInput(`${key} must be a text`)
  return value
}

function flag(fields: Fields, key: string): boolean {
  const value = fields[key]
  if (typeof value !== 'boolean') throw new BadInput(`${key} must be true or false`)
  return value
}

function count(fields: Fields, key: string): number {
  const value = fields[key]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new BadInput(`${key} must be a whole number from 0 on`)
  }
  return value
}

function httpStatus(fields: Fields): number {
  const status = count(fields, 'status')
  if (status < 200 || status > 599) throw new BadInput('status must be an HTTP status from 200 to 599')
  return status
}

function headerMap(fields: Fields, key: string): Record<string, string> {
  const map = asObject(fields[key], key)
  const bad = Object.keys(map).find((name) => !HEADER_NAME.test(name) || FRAMING_HEADERS.has(name))
  if (bad !== undefined) throw new BadInput(`${JSON.stringify(bad)} cannot be set in ${key}`)
  return Object.fromEntries(Object.keys(map).map((name) => [name, headerValue(map, name)]))
}

function headerValue(map: Fields, name: string): string {
  const value = text(map, name)
  if (!/^[\x20-\x7e]+$/.test(value)) throw new BadInput(`${name} must be printable ASCII`)
  return value
}

function oneOf<T extends string>(fields: Fields, key: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === fields[key])
  if (found === undefined) throw new BadInput(`${key} must be one of ${allowed.join(', ')}`)
  return found
}
