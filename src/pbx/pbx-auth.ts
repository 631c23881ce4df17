import type { AuthScheme } from '../http/route.ts'
import { createKeyCache } from '../lib/key-cache.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE } from '../lib/units.ts'
import type { AddressGuard } from '../limits/address-guard.ts'
import type { PbxKey, PbxKeyStore } from './pbx-key-store.ts'

/** How long PBXes that we know go on without the database. */
const STALE_MS = 15 * MINUTE

/** `Authorization: Bearer <PBX key>`. Who tries many is stopped before anything is looked up. */
export function createPbxAuth(deps: {
  pbxKeys: PbxKeyStore
  keyring: Keyring
  addressGuard: AddressGuard
  onError: (error: unknown) => void
}): AuthScheme<PbxKey> {
  const cache = createKeyCache({
    find: (hash) => deps.pbxKeys.findByKeyHash(hash),
    onError: deps.onError,
    staleMs: STALE_MS,
  })
  return {
    name: 'pbx-key',
    stage: 'before-body',
    async verify({ headers, address }) {
      const key = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
      if (key === undefined) throw new Problem('unauthorized')
      const keyHash = deps.keyring.pbxKeyHash(key)
      // A PBX that we know goes on, whoever else is behind its address.
      if (!cache.isKnown(keyHash)) await deps.addressGuard.check(address, keyHash)
      const { found } = await cache.get(keyHash).catch((cause: unknown) => {
        throw new Problem('store_unavailable', { retryAfter: 1, cause })
      })
      if (!found) {
        await deps.addressGuard.failed(address)
        throw new Problem('invalid_credentials')
      }
      return found
    },
  }
}
