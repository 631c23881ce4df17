import { createPrivateKey, sign } from 'node:crypto'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { MINUTE, SECOND } from '../../../lib/units.ts'
import type { ApnsCredentials } from '../../app-credentials.ts'

/** Apple answers 429 to keys that sign more often: https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns */
const MIN_AGE = 20 * MINUTE

/** The shape that @parse/node-apn gives its own tokens, so that ours can take their place. */
export interface ProviderToken {
  /** Counts renewals, so that of many refused requests only one renews. */
  readonly generation: number
  /** The JWT. */
  readonly current: string
  /** Signs a new token unless that has happened since `generation`, or less than 20 minutes ago. */
  regenerate(generation: number): void
  isExpired(validSeconds: number): boolean
}

/**
 * One provider token per signing key, however many connections use it. The library would sign one for each connection and
 * another one for each refused request, which Apple answers with TooManyProviderTokenUpdates.
 * @throws When the signing key is not a P-256 key in PEM.
 */
export function createProviderToken(credentials: ApnsCredentials, clock: Clock = systemClock): ProviderToken {
  const { keyId, teamId } = credentials
  const key = createPrivateKey(credentials.signingKey)
  let generation = 0
  let signedAt = 0
  let current = signNow()

  function signNow(): string {
    signedAt = clock.now()
    const header = encode({ alg: 'ES256', kid: keyId })
    const claims = encode({ iss: teamId, iat: Math.floor(signedAt / SECOND) })
    const text = `${header}.${claims}`
    // RFC 7518 section 3.4 wants r and s side by side, not Node's default of DER.
    const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })
    return `${text}.${signature.toString('base64url')}`
  }

  return {
    get generation() {
      return generation
    },
    get current() {
      return current
    },
    regenerate(refused) {
      if (refused !== generation || clock.now() - signedAt < MIN_AGE) return
      generation += 1
      current = signNow()
    },
    isExpired: (validSeconds) => clock.now() - signedAt >= validSeconds * SECOND,
  }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
