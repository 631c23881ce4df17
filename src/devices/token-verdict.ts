import type { ApnsEnvironment, TokenKind } from '../push/push.ts'
import type { Provider } from '../push/push-kinds.ts'
import type { TokenState } from '../push/push-result.ts'

/** What is held against a token of a tenant, as its owner is told. Times are milliseconds since the epoch. */
export interface TokenVerdict {
  tenantId: string
  kind: TokenKind
  environment: ApnsEnvironment
  tokenHash: string
  /** Lower-case hex: by it an owner who has the token knows which one is meant. */
  tokenSha256: string
  appId: string
  /** Absent when the token was only handed in with a request. */
  deviceId?: string
  extension?: string
  state: Exclude<TokenState, 'valid'>
  /** The provider's word, or ours: `stale`. */
  reason: string
  /** A sentence for people. */
  detail: string
  firstAt: number
  lastAt: number
  /** How often it was said from `firstAt` to `lastAt`. */
  times: number
}

/** What an owner can be told of a token. `token.restored`: a provider has taken it again. */
export const VERDICT_EVENTS = {
  quarantined: 'token.quarantined',
  dead: 'token.invalidated',
  restored: 'token.restored',
} as const

/** Tells the owner; resolves when the event is stored. */
export type Announce = (
  tenantId: string,
  event: { type: string; data: Record<string, unknown> },
) => Promise<void>

const platformOf = (kind: TokenKind): Provider => (kind.startsWith('fcm') ? 'fcm' : 'apns')

/** The verdict as it stands in answers and events. */
export const describeVerdict = (verdict: TokenVerdict) => ({
  token_sha256: verdict.tokenSha256,
  platform: platformOf(verdict.kind),
  kind: verdict.kind,
  environment: verdict.environment,
  app_id: verdict.appId,
  state: verdict.state,
  reason: verdict.reason,
  detail: verdict.detail,
  ...(verdict.deviceId !== undefined && { device_id: verdict.deviceId }),
  ...(verdict.extension !== undefined && { extension: verdict.extension }),
  first_at: new Date(verdict.firstAt).toISOString(),
  last_at: new Date(verdict.lastAt).toISOString(),
  times: verdict.times,
})
