import { HOUR, MINUTE } from '../lib/units.ts'
import type { ApnsVerdict } from './apns-protocol.ts'
import { type ApnsRequest, header } from './apns-request.ts'

/** Sizes in bytes: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification */
const MAX_PAYLOAD = 4_096
const MAX_VOIP_PAYLOAD = 5_120
const MAX_COLLAPSE_ID = 64

const PROVIDER_TOKEN_LIFETIME = HOUR
const CLOCK_SKEW = 5 * MINUTE
/** Apple names no limit. Ours lies in 2106 and tells seconds from milliseconds. */
const MAX_EXPIRATION = 2 ** 32 - 1

const DEVICE_TOKEN = /^(?:[0-9a-f]{2})+$/i
const TOPIC = /^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * What follows the bundle id in the topic, by `apns-push-type`:
 * https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
 */
const TOPIC_SUFFIX: ReadonlyMap<string, string> = new Map([
  ['alert', ''],
  ['background', ''],
  ['mdm', ''],
  ['voip', '.voip'],
  ['complication', '.complication'],
  ['location', '.location-query'],
  ['fileprovider', '.pushkit.fileprovider'],
  ['liveactivity', '.push-type.liveactivity'],
  ['pushtotalk', '.voip-ptt'],
  ['widgets', '.push-type.widgets'],
  ['controls', '.push-type.controls'],
])
const SUFFIXES: ReadonlySet<string> = new Set(TOPIC_SUFFIX.values())

interface ApnsCheck extends ApnsVerdict {
  reason: string
  fails(request: ApnsRequest): boolean
}

/**
 * The first check that fails is the answer. Apple does not document its order; two things are known from the field: a sender is
 * judged before the token it sends to (a made-up token is how people test their key), and a request is judged before its token.
 */
const CHECKS: readonly ApnsCheck[] = [
  { status: 405, reason: 'MethodNotAllowed', fails: ({ method }) => method !== 'POST' },
  { status: 404, reason: 'BadPath', fails: ({ deviceToken }) => deviceToken === undefined },
  { status: 400, reason: 'MissingDeviceToken', fails: ({ deviceToken }) => deviceToken === '' },
  { status: 400, reason: 'DuplicateHeaders', fails: (request) => request.hasRepeatedHeader },
  {
    status: 403,
    reason: 'MissingProviderToken',
    fails: ({ providerToken }) => providerToken.kind === 'missing',
  },
  {
    status: 403,
    reason: 'InvalidProviderToken',
    fails: ({ providerToken }) => providerToken.kind === 'invalid',
  },
  { status: 403, reason: 'ExpiredProviderToken', fails: isProviderTokenStale },
  { status: 429, reason: 'TooManyProviderTokenUpdates', fails: (request) => request.updatesTokenTooOften },
  { status: 400, reason: 'BadMessageId', fails: (request) => !matches(request, 'apns-id', UUID) },
  { status: 400, reason: 'MissingTopic', fails: ({ topic }) => topic === '' },
  { status: 400, reason: 'BadTopic', fails: ({ topic }) => !TOPIC.test(topic) },
  { status: 400, reason: 'TopicDisallowed', fails: (request) => bundleOf(request) === undefined },
  {
    status: 400,
    reason: 'InvalidPushType',
    fails: (request) => !TOPIC_SUFFIX.has(pushType(request) ?? 'alert'),
  },
  { status: 400, reason: 'BadPriority', fails: (request) => !isPriorityAllowed(request) },
  { status: 400, reason: 'BadExpirationDate', fails: (request) => !isExpirationGood(request) },
  { status: 400, reason: 'BadCollapseId', fails: isCollapseIdBad },
  { status: 400, reason: 'PayloadEmpty', fails: ({ payloadSize }) => payloadSize === 0 },
  { status: 413, reason: 'PayloadTooLarge', fails: (request) => request.payloadSize > maxPayload(request) },
  // Apple has no reason of its own for a body that is not a JSON object or says nothing.
  { status: 400, reason: 'PayloadEmpty', fails: ({ payload }) => Object.keys(payload ?? {}).length === 0 },
  {
    status: 400,
    reason: 'BadDeviceToken',
    fails: ({ deviceToken }) => !DEVICE_TOKEN.test(deviceToken ?? ''),
  },
  { status: 400, reason: 'BadDeviceToken', fails: isFromOtherEnvironment },
  { status: 400, reason: 'DeviceTokenNotForTopic', fails: (request) => !isTopicForPushType(request) },
]

/** @returns The fault of a request, or `undefined` when there is none. */
export function findFault(request: ApnsRequest): ApnsVerdict | undefined {
  const failed = CHECKS.find((check) => check.fails(request))
  return failed && { status: failed.status, reason: failed.reason }
}

const pushType = ({ headers }: ApnsRequest): string | undefined => header(headers, 'apns-push-type')

function isProviderTokenStale({ providerToken, now }: ApnsRequest): boolean {
  if (providerToken.kind !== 'valid') return false
  const age = now - providerToken.issuedAt * 1_000
  return age > PROVIDER_TOKEN_LIFETIME || age < -CLOCK_SKEW
}

/** The app of the sender's team to which the topic belongs. */
function bundleOf({ providerToken, topic }: ApnsRequest): string | undefined {
  if (providerToken.kind !== 'valid') return undefined
  return providerToken.account.bundleIds.find(
    (bundle) => topic.startsWith(bundle) && SUFFIXES.has(topic.slice(bundle.length)),
  )
}

/** The header is not mandatory on iOS, so a push without it may go to every topic of the app. */
function isTopicForPushType(request: ApnsRequest): boolean {
  const type = pushType(request)
  const suffix = type === undefined ? undefined : TOPIC_SUFFIX.get(type)
  return suffix === undefined || request.topic === `${bundleOf(request)}${suffix}`
}

/** Without the header it is 10, which a background push must not have. */
function isPriorityAllowed(request: ApnsRequest): boolean {
  const priority = header(request.headers, 'apns-priority') ?? '10'
  return pushType(request) === 'background' ? priority === '5' : ['1', '5', '10'].includes(priority)
}

const isExpirationGood = (request: ApnsRequest): boolean =>
  matches(request, 'apns-expiration', /^\d+$/) &&
  Number(header(request.headers, 'apns-expiration') ?? 0) <= MAX_EXPIRATION

function isCollapseIdBad({ headers }: ApnsRequest): boolean {
  return Buffer.byteLength(header(headers, 'apns-collapse-id') ?? '') > MAX_COLLAPSE_ID
}

const maxPayload = ({ topic }: ApnsRequest): number =>
  topic.endsWith('.voip') ? MAX_VOIP_PAYLOAD : MAX_PAYLOAD

function isFromOtherEnvironment({ tokenEnvironment, serverEnvironment }: ApnsRequest): boolean {
  return tokenEnvironment !== undefined && tokenEnvironment !== serverEnvironment
}

/** An absent header matches: none of those asked for here is mandatory. */
function matches({ headers }: ApnsRequest, name: string, pattern: RegExp): boolean {
  const value = header(headers, name)
  return value === undefined || pattern.test(value)
}
