import type { Clock } from '../lib/clock.ts'
import { callUuid, derivedId, newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { DAY, HOUR, SECOND } from '../lib/units.ts'
import type { PushProvider } from '../push/outcome.ts'
import type { Push, TokenKind } from '../push/push.ts'
import { LANE_OF, type Privacy, type PushContents, type PushKind } from '../push/push-kinds.ts'
import { type BatchItem, MAX_TTL_SECONDS, type PushRequest } from './push-request.ts'

export interface BuildDeps {
  keyring: Keyring
  clock: Clock
  /** Ids of the apps with credentials; the first one is meant when a request names none. */
  appIds: readonly string[]
  providers: Readonly<Record<'apns' | 'fcm', PushProvider>>
  pushTtlMs: number
  privacy: Privacy
}
export interface Sender {
  id: string
  tenantId: string
}
type Request = PushRequest | BatchItem

/** How long a push of the messages lane is worth delivering when its caller does not say. */
const MESSAGE_TTL_MS: Record<Exclude<PushKind, 'call' | 'cancel'>, number> = {
  missed_call: DAY,
  voicemail: DAY,
  message: DAY,
  // The next one says more.
  badge: HOUR,
  background: HOUR,
}

/**
 * What a request asks for, as a push. Throws a Problem for what no provider would take: better a word now than a push that fails.
 *
 * @param key the caller's idempotency key, if there is one: the same key gives the same id
 */
export function buildPush(deps: BuildDeps, sender: Sender, request: Request, key: string | undefined): Push {
  const { keyring, clock, appIds } = deps
  const appId = request.app_id ?? appIds[0] ?? ''
  if (request.app_id !== undefined && !appIds.includes(request.app_id)) {
    throw new Problem('unknown_app', { field: 'app_id' })
  }
  const token = request.push_platform === 'apns' ? request.push_token.toLowerCase() : request.push_token
  const tokenHash = keyring.tokenHash(token)
  const acceptedAt = clock.now()
  const push = {
    id: key === undefined ? newId() : derivedId(sender.tenantId, 'push', key),
    tenantId: sender.tenantId,
    licenseId: sender.id,
    provider: request.push_platform,
    environment: request.environment,
    appId,
    tokenKind: tokenKindOf(request),
    token,
    tokenHash,
    privacy: request.privacy ?? deps.privacy,
    ...('collapse_id' in request && request.collapse_id && { collapseId: request.collapse_id }),
    kind: request.kind,
    content: contentOf(request, sender.tenantId, tokenHash),
    acceptedAt,
    expiresAt: expiryOf(deps, request, acceptedAt),
  } as Push
  refuseHopeless(deps, push)
  return push
}

function tokenKindOf({ push_platform, token_kind, kind }: Request): TokenKind {
  if (push_platform === 'fcm') return token_kind === 'fid' ? 'fcm_fid' : 'fcm'
  if (token_kind === 'fid') {
    throw new Problem('invalid_request', {
      sentence: 'only FCM has installation ids',
      field: 'token_kind',
    })
  }
  return kind === 'call' ? 'apns_voip' : 'apns'
}

function contentOf(request: Request, tenantId: string, tokenHash: string): PushContents[PushKind] {
  const caller = () => ({
    callerId: 'caller_id' in request ? request.caller_id : '',
    ...('caller_name' in request && request.caller_name !== undefined && { callerName: request.caller_name }),
  })
  const extras = {
    ...('badge' in request && request.badge !== undefined && { badge: request.badge }),
    ...('data' in request && request.data && { data: request.data }),
  }
  switch (request.kind) {
    case 'call':
      return { ...callOf(request.call_id), ...caller() }
    case 'cancel':
      return { ...callOf(request.call_id), cause: request.cause }
    case 'missed_call':
      return { callId: request.call_id, ...caller(), ...extras }
    case 'voicemail':
      return {
        voicemailId: request.voicemail_id,
        ...caller(),
        ...(request.call_id !== undefined && { callId: request.call_id }),
        ...(request.duration !== undefined && { durationSeconds: request.duration }),
        ...extras,
      }
    case 'message':
      return {
        messageId: request.message_id,
        text: request.text,
        ...(request.conversation_id !== undefined && { conversationId: request.conversation_id }),
        ...(request.sender_name !== undefined && { senderName: request.sender_name }),
        ...(request.title !== undefined && { title: request.title }),
        ...(request.sound !== undefined && { sound: request.sound }),
        ...extras,
      }
    case 'badge':
      return { badge: request.badge }
    case 'background':
      return extras
  }

  function callOf(callId: string) {
    return { callId, callUuid: callUuid(tenantId, callId, tokenHash) }
  }
}

function expiryOf({ pushTtlMs }: BuildDeps, request: Request, acceptedAt: number): number {
  if ('expires_at' in request && request.expires_at !== undefined) {
    const refuse = (sentence: string) => new Problem('invalid_request', { sentence, field: 'expires_at' })
    if (request.ttl !== undefined) throw refuse('ttl and expires_at exclude each other')
    const expiresAt = Date.parse(request.expires_at)
    if (!(expiresAt > acceptedAt)) throw refuse('expires_at must lie in the future')
    if (expiresAt > acceptedAt + MAX_TTL_SECONDS * SECOND) {
      throw refuse(`expires_at must lie within ${MAX_TTL_SECONDS} seconds`)
    }
    return expiresAt
  }
  if (request.ttl !== undefined) return acceptedAt + request.ttl * SECOND
  return acceptedAt + (LANE_OF[request.kind] === 'calls' ? pushTtlMs : messageTtl(request.kind))
}

const messageTtl = (kind: PushKind): number => MESSAGE_TTL_MS[kind as keyof typeof MESSAGE_TTL_MS]

/** Where a refusal of a provider's builder comes from in the request. */
const FIELD_OF = {
  malformed_token: 'push_token',
  wrong_token_kind: 'push_token',
  payload_too_large: 'data',
} as const

function refuseHopeless({ providers }: BuildDeps, push: Push): void {
  const refusal = providers[push.provider].check(push)
  if (!refusal) return
  const { code, sentence } = refusal
  throw new Problem('invalid_request', { sentence, code, field: FIELD_OF[code] })
}
