import { type FcmFault, isObject, TARGETS } from './fcm-protocol.ts'

/** Bytes of keys and values together: https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type */
const MAX_DATA = 4_096
const MAX_TOPIC_DATA = 2_048
/** Seconds: four weeks, https://firebase.google.com/docs/cloud-messaging/customize-messages/setting-message-lifespan */
const MAX_TTL = 2_419_200
const MIN_TOKEN_LENGTH = 8
/** Google makes them of 22 characters and promises no length: https://firebase.google.com/docs/projects/manage-installations */
const INSTALLATION_ID = /^[A-Za-z0-9_-]{22,}$/

/** Also names that our senders do not use, in both spellings that protobuf's JSON knows. */
const MESSAGE_FIELDS = new Set([
  ...TARGETS,
  ...['name', 'data', 'notification', 'android', 'webpush', 'apns', 'fcm_options', 'fcmOptions'],
])
const ANDROID_FIELDS = new Set([
  ...['collapse_key', 'collapseKey', 'priority', 'ttl', 'data', 'notification', 'fcm_options', 'fcmOptions'],
  ...['restricted_package_name', 'restrictedPackageName', 'direct_boot_ok', 'directBootOk'],
  ...[
    'bandwidth_constrained_ok',
    'bandwidthConstrainedOk',
    'restricted_satellite_ok',
    'restrictedSatelliteOk',
  ],
])
/** firebase-admin passes the lower-case words of its own types on as they are, and Google takes them. */
const PRIORITIES: readonly unknown[] = ['HIGH', 'NORMAL', 'high', 'normal']

type Fields = Readonly<Record<string, unknown>>

/**
 * The fault of a `message`, in the order in which it is read: its shape, its addressee, its content, its token.
 * https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
 */
export function findMessageFault(message: unknown): FcmFault | undefined {
  if (!isObject(message)) return invalid('message', 'The message is not set.')
  const android = message.android ?? {}
  if (!isObject(android)) return unparsable('message.android', 'is not an object')
  return (
    findUnknownField(message, 'message', MESSAGE_FIELDS) ??
    findUnknownField(android, 'message.android', ANDROID_FIELDS) ??
    findDataFault(message.data, 'message.data') ??
    findDataFault(android.data, 'message.android.data') ??
    findAndroidFault(android) ??
    findTargetFault(message) ??
    findSizeFault(message, android) ??
    findTokenFault(message.token) ??
    findInstallationFault(message.fid)
  )
}

function findUnknownField(value: Fields, path: string, known: ReadonlySet<string>): FcmFault | undefined {
  const name = Object.keys(value).find((key) => !known.has(key))
  if (name === undefined) return undefined
  const message = `Invalid JSON payload received. Unknown name "${name}" at '${path}': Cannot find field.`
  return { status: 400, message, field: path }
}

function findDataFault(data: unknown, path: string): FcmFault | undefined {
  if (data === undefined) return undefined
  if (!isObject(data)) return unparsable(path, 'is not a map')
  const values = Object.values(data)
  const wrong = values.findIndex((value) => typeof value !== 'string')
  if (wrong !== -1)
    return unparsable(`${path}[${wrong}].value`, `(TYPE_STRING), ${JSON.stringify(values[wrong])}`)
  const reserved = Object.keys(data).find(isReserved)
  return reserved === undefined ? undefined : invalid(path, `Invalid data payload key: ${reserved}`)
}

const isReserved = (key: string): boolean =>
  key === '' ||
  key === 'from' ||
  key === 'message_type' ||
  key.startsWith('google.') ||
  key.startsWith('gcm.')

function findAndroidFault(android: Fields): FcmFault | undefined {
  const { priority, ttl } = android
  const collapseKey = android.collapse_key ?? android.collapseKey
  if (priority !== undefined && !PRIORITIES.includes(priority)) {
    return unparsable('message.android.priority', `(AndroidMessagePriority), ${JSON.stringify(priority)}`)
  }
  if (ttl !== undefined && !isDuration(ttl)) {
    return unparsable('message.android.ttl', `(google.protobuf.Duration), ${JSON.stringify(ttl)}`)
  }
  if (ttl !== undefined && Number.parseFloat(String(ttl)) > MAX_TTL) {
    return invalid('message.android.ttl', `Invalid ttl: it must be within 0 and ${MAX_TTL} seconds.`)
  }
  if (collapseKey !== undefined && typeof collapseKey !== 'string') {
    return unparsable('message.android.collapse_key', `(TYPE_STRING), ${JSON.stringify(collapseKey)}`)
  }
  return undefined
}

const isDuration = (value: unknown): boolean => typeof value === 'string' && /^\d+(\.\d{1,9})?s$/.test(value)

function findTargetFault(message: Fields): FcmFault | undefined {
  const given = TARGETS.filter((target) => message[target] !== undefined)
  const [target] = given
  if (target === undefined) return invalid('message', 'Recipient of the message is not set.')
  if (given.length > 1) return unparsable('message', 'oneof field "target" is already set')
  if (typeof message[target] !== 'string') return unparsable(`message.${target}`, '(TYPE_STRING)')
  return message[target] === '' ? invalid('message', 'Recipient of the message is not set.') : undefined
}

function findSizeFault(message: Fields, android: Fields): FcmFault | undefined {
  const limit = message.token === undefined && message.fid === undefined ? MAX_TOPIC_DATA : MAX_DATA
  const data = Object.entries({ ...asFields(message.data), ...asFields(android.data) })
  const size = data.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  )
  return size > limit
    ? { status: 400, message: 'Android message is too big', errorCode: 'INVALID_ARGUMENT' }
    : undefined
}

const asFields = (value: unknown): Fields => (isObject(value) ? value : {})

function findTokenFault(token: unknown): FcmFault | undefined {
  if (typeof token !== 'string') return undefined
  return token.length < MIN_TOKEN_LENGTH || /\s/.test(token)
    ? invalid('message.token', 'The registration token is not a valid FCM registration token')
    : undefined
}

function findInstallationFault(fid: unknown): FcmFault | undefined {
  if (typeof fid !== 'string' || INSTALLATION_ID.test(fid)) return undefined
  return invalid('message.fid', 'The installation id is not one that Firebase has issued')
}

/** Refused by FCM itself. */
const invalid = (field: string, message: string): FcmFault => ({
  status: 400,
  message,
  errorCode: 'INVALID_ARGUMENT',
  field,
})

/** Refused before FCM sees it, by the reader of JSON: it has no error code of FCM's. */
const unparsable = (field: string, problem: string): FcmFault => ({
  status: 400,
  message: `Invalid value at '${field}' ${problem}`,
  field,
})
