import type { AuthScheme } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { createKeyCache } from '../lib/key-cache.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import type { License, LicenseStore } from './license-store.ts'

/**
 * The licence key of a PBX, from the body or else from `X-License-Key`. An unknown key and an expired licence get the same
 * answer: a guesser learns nothing.
 */
export function createLicenseAuth(deps: {
  licenses: LicenseStore
  keyring: Keyring
  clock: Clock
  onError: (error: unknown) => void
}): AuthScheme<License> {
  const cache = createKeyCache((hash) => deps.licenses.findByKeyHash(hash), deps.onError)
  return {
    name: 'license-key',
    stage: 'after-body',
    require: (request) => void keyOf(request),
    async verify(request) {
      const key = keyOf(request)
      const license = await cache.get(deps.keyring.licenseKeyHash(key)).catch((cause: unknown) => {
        throw new Problem('store_unavailable', { sentence: 'internal error', retryAfter: 1, cause })
      })
      if (!license || (license.expiresAt !== undefined && license.expiresAt <= deps.clock.now())) {
        throw new Problem('license_invalid')
      }
      return license
    },
  }
}

function keyOf({ headers, body }: Parameters<AuthScheme<License>['verify']>[0]): string {
  const inBody = (body as { license_key?: unknown } | null | undefined)?.license_key
  // A key that is no string is a fault of the body, which the schema reports.
  if (typeof inBody === 'string' && inBody !== '') return inBody
  const inHeader = headers['x-license-key']
  if (typeof inHeader === 'string' && inHeader !== '') return inHeader
  if (inBody !== undefined && typeof inBody !== 'string')
    throw new Problem('invalid_request', { field: 'license_key' })
  throw new Problem('license_key_required')
}
