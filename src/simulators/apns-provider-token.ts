import { compactVerify, decodeProtectedHeader } from 'jose'
import type { ApnsAccount } from './apns-protocol.ts'

/** Judgement over an `authorization` header that holds for as long as the simulator runs; age is judged per request. */
export type ProviderToken =
  | { kind: 'missing' }
  | { kind: 'invalid' }
  /** `issuedAt` in seconds since the epoch, as in the token. */
  | { kind: 'valid'; account: ApnsAccount; issuedAt: number; jwt: string }

/** More than this many different tokens is a sender that mints one per push; the cache then starts again. */
const CACHED_TOKENS = 1_000

/**
 * Verifies provider tokens (ES256 with `kid`, `iss`, `iat`) once per token:
 * https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
 */
export function createProviderTokenVerifier(accounts: readonly ApnsAccount[]) {
  const cache = new Map<string, ProviderToken>()
  return {
    /** Answers at once for a header seen before: the way of nearly every request. */
    known: (authorization: string | undefined): ProviderToken | undefined => cache.get(authorization ?? ''),

    async verify(authorization: string | undefined): Promise<ProviderToken> {
      const token = await judge(authorization, accounts)
      if (cache.size >= CACHED_TOKENS) cache.clear()
      cache.set(authorization ?? '', token)
      return token
    },
  }
}

async function judge(
  authorization: string | undefined,
  accounts: readonly ApnsAccount[],
): Promise<ProviderToken> {
  const jwt = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (jwt === undefined) return { kind: 'missing' }
  try {
    const { kid } = decodeProtectedHeader(jwt)
    const account = accounts.find(({ keyId }) => keyId === kid)
    if (!account) return { kind: 'invalid' }
    const { payload } = await compactVerify(jwt, account.publicKey, { algorithms: ['ES256'] })
    const claims: unknown = JSON.parse(Buffer.from(payload).toString())
    const issuedAt = issuedBy(account.teamId, claims)
    return issuedAt === undefined ? { kind: 'invalid' } : { kind: 'valid', account, issuedAt, jwt }
  } catch {
    // Whatever is wrong with a token, Apple has one word for it.
    return { kind: 'invalid' }
  }
}

/** The `iat` of the claims, when they are the team's. */
function issuedBy(teamId: string, claims: unknown): number | undefined {
  if (typeof claims !== 'object' || claims === null) return undefined
  if (!('iss' in claims && claims.iss === teamId && 'iat' in claims)) return undefined
  return typeof claims.iat === 'number' && Number.isSafeInteger(claims.iat) ? claims.iat : undefined
}

/**
 * Remembers the provider tokens of one connection. @returns Whether this token replaces another one of the same key that was
 * issued less than `minIntervalMs` apart.
 */
export function createTokenUpdateWatch(minIntervalMs: number) {
  const last = new Map<string, { jwt: string; issuedAt: number }>()
  return (token: ProviderToken): boolean => {
    if (token.kind !== 'valid') return false
    const previous = last.get(token.account.keyId)
    if (previous?.jwt === token.jwt) return false
    const tooSoon =
      previous !== undefined && Math.abs(token.issuedAt - previous.issuedAt) * 1_000 < minIntervalMs
    if (!tooSoon) last.set(token.account.keyId, { jwt: token.jwt, issuedAt: token.issuedAt })
    return tooSoon
  }
}
