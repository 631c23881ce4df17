import type { AuthScheme } from '../http/route.ts'
import { createKeyCache } from '../lib/key-cache.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import type { PbxKey, PbxKeyStore } from './pbx-key-store.ts'

/** `Authorization: Bearer <PBX key>`. */
export function createPbxAuth(deps: {
  pbxKeys: PbxKeyStore
  keyring: Keyring
  onError: (error: unknown) => void
}): AuthScheme<PbxKey> {
  const cache = createKeyCache((hash) => deps.pbxKeys.findByKeyHash(hash), deps.onError)
  return {
    name: 'pbx-key',
    stage: 'before-body',
    async verify({ headers }) {
      const key = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
      if (key === undefined) throw new Problem('unauthorized')
      const found = await cache.get(deps.keyring.pbxKeyHash(key)).catch((cause: unknown) => {
        throw new Problem('store_unavailable', { retryAfter: 1, cause })
      })
      if (!found) throw new Problem('invalid_credentials')
      return found
    },
  }
}
