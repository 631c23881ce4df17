/**
 * FlowPBX's mobile app as far as its server sees it: the requests it makes, with its headers, and how it reads the answers. It
 * throws where the Dart code would: `as int` takes no text, `as String` no null, and a 401 logs the person out.
 */

// biome-ignore lint/suspicious/noExplicitAny: what comes from the wire is judged here
type Json = any

const kindOf = (value: unknown) => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value)
const fail = (what: string, value: unknown): never => {
  throw new TypeError(`${what} is ${kindOf(value)}: ${JSON.stringify(value)}`)
}
const asString = (what: string, value: unknown): string =>
  typeof value === 'string' ? value : fail(what, value)
const asInt = (what: string, value: unknown): number =>
  Number.isInteger(value) ? Number(value) : fail(what, value)
const asBool = (what: string, value: unknown): boolean =>
  typeof value === 'boolean' ? value : fail(what, value)
const asList = (what: string, value: unknown): Json[] => (Array.isArray(value) ? value : fail(what, value))
const optional = <T>(
  read: (what: string, value: unknown) => T,
  what: string,
  value: unknown,
): T | undefined => (value === null || value === undefined ? undefined : read(what, value))
/** `DateTime.parse(…).toLocal()`: a time without a zone would be taken for local. */
const asTime = (what: string, value: unknown): number => {
  const text = asString(what, value)
  if (!/(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(Date.parse(text))) fail(what, value)
  return Date.parse(text)
}

const readProfile = (me: Json) => ({
  id: asInt('id', me.id),
  extension: asString('extension', me.extension),
  name: asString('name', me.name),
  email: optional(asString, 'email', me.email),
  dnd: optional(asBool, 'dnd', me.dnd) ?? false,
  followMeEnabled: optional(asBool, 'follow_me_enabled', me.follow_me_enabled) ?? false,
  // `e as String`: the trap that makes the app fail with objects.
  followMeNumbers: (optional(asList, 'follow_me_numbers', me.follow_me_numbers) ?? []).map((one) =>
    asString('follow_me_numbers[]', one),
  ),
  followMeStrategy: optional(asString, 'follow_me_strategy', me.follow_me_strategy) ?? 'ring_all',
  updatedAt: asTime('updated_at', me.updated_at),
})

const readVoicemail = (one: Json) => ({
  id: asInt('id', one.id),
  mailboxId: asInt('mailbox_id', one.mailbox_id),
  callerName: asString('caller_id_name', one.caller_id_name),
  callerNumber: asString('caller_id_num', one.caller_id_num),
  timestamp: asTime('timestamp', one.timestamp),
  duration: asInt('duration', one.duration),
  read: asBool('read', one.read),
  readAt: optional(asTime, 'read_at', one.read_at),
  transcription: optional(asString, 'transcription', one.transcription),
  createdAt: asTime('created_at', one.created_at),
})

const readCall = (one: Json) => ({
  id: asInt('id', one.id),
  callId: asString('call_id', one.call_id),
  startTime: asTime('start_time', one.start_time),
  answerTime: optional(asTime, 'answer_time', one.answer_time),
  endTime: optional(asTime, 'end_time', one.end_time),
  duration: optional(asInt, 'duration', one.duration),
  billable: optional(asInt, 'billable_dur', one.billable_dur),
  trunkId: optional(asInt, 'trunk_id', one.trunk_id),
  direction: optional(asString, 'direction', one.direction),
  disposition: optional(asString, 'disposition', one.disposition),
  hangupCause: asString('hangup_cause', one.hangup_cause),
})

const readEntry = (one: Json) => ({
  id: asInt('id', one.id),
  extension: asString('extension', one.extension),
  name: asString('name', one.name),
  online: asBool('online', one.online),
})

export type FlowpbxApp = ReturnType<typeof installFlowpbxApp>

/** An app on a phone, with nothing in its storage yet. */
export function installFlowpbxApp(serverUrl: string) {
  const base = `${serverUrl.replace(/\/$/, '')}/api/v1`
  let token: string | undefined

  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(base + path, {
      method,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const json: Json = await response.json()
    // Wherever it comes from: the app forgets everything and shows the login.
    if (response.status === 401) token = undefined
    if (response.status < 200 || response.status >= 300) {
      throw new Error(`${response.status} ${asString('error', json.error)}`)
    }
    return 'data' in json ? json.data : json
  }

  return {
    isLoggedIn: () => token !== undefined,
    async logIn(extension: string, sipPassword: string) {
      const data = await ask('POST', '/app/auth', { extension, sip_password: sipPassword })
      token = asString('token', data.token)
      return {
        expiresAt: asTime('expires_at', data.expires_at),
        name: optional(asString, 'extension.name', data.extension?.name),
        sip: {
          domain: asString('sip.domain', data.sip.domain),
          port: asInt('sip.port', data.sip.port),
          tlsPort: asInt('sip.tls_port', data.sip.tls_port),
          username: asString('sip.username', data.sip.username),
          password: asString('sip.password', data.sip.password),
          transport: optional(asString, 'sip.transport', data.sip.transport) ?? 'tls',
        },
      }
    },
    /** Nothing is said to the server. */
    logOut: () => {
      token = undefined
    },
    /** Keeps a token that its server gave it some time ago. */
    rememberToken: (kept: string) => {
      token = kept
    },
    sendPushToken: (pushToken: string, platform: 'apns' | 'fcm') =>
      ask('POST', '/app/push-token', { token: pushToken, platform }),
    me: async () => readProfile(await ask('GET', '/app/me')),
    setDnd: async (dnd: boolean) => readProfile(await ask('PUT', '/app/me', { dnd })),
    setFollowMe: async (on: boolean) => readProfile(await ask('PUT', '/app/me', { follow_me_enabled: on })),
    voicemail: async () => asList('data', await ask('GET', '/app/voicemail')).map(readVoicemail),
    markRead: (id: number) => ask('PUT', `/app/voicemail/${id}/read`),
    async history(offset: number) {
      const page = await ask('GET', `/app/history?limit=50&offset=${offset}`)
      return { items: asList('items', page.items).map(readCall), total: asInt('total', page.total) }
    },
    directory: async () => asList('data', await ask('GET', '/app/directory')).map(readEntry),
    /** As the players of both systems do: with the token, and in pieces. */
    async play(id: number, range?: string) {
      const response = await fetch(`${base}/app/voicemail/${id}/audio`, {
        headers: { authorization: `Bearer ${token}`, ...(range !== undefined && { range }) },
      })
      return {
        status: response.status,
        type: response.headers.get('content-type'),
        range: response.headers.get('content-range'),
        bytes: Buffer.from(await response.arrayBuffer()),
      }
    },
  }
}
