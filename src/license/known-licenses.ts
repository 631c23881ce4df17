import { createKeyCache } from '../lib/key-cache.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { KeyedLicense } from './license.ts'
import { canonicalKey, mistypedHint } from './license-key.ts'
import type { LicenseStore } from './license-store.ts'

/** What a key says about itself and its licence. */
export interface KeyFacts {
  license: KeyedLicense | undefined
  mistyped: string | undefined
  /** The store cannot be asked, and this is what it said last. */
  isStale: boolean
}

/**
 * The licences of the keys that this process has met. A change reaches every node within 5 s; while the store is away, known
 * licences stay what they were for the time of grace.
 */
export function createKnownLicenses(deps: {
  licenses: LicenseStore
  keyring: Keyring
  graceMs: number
  onError: (error: unknown) => void
}) {
  const cache = createKeyCache<KeyedLicense>({
    find: (hash) => deps.licenses.findByKeyHash(hash),
    onError: deps.onError,
    staleMs: deps.graceMs,
  })
  const hashOf = (key: string) => deps.keyring.licenseKeyHash(canonicalKey(key))
  return {
    /** Does the same work for every key, whether it exists or not. Rejects when the store cannot be asked about a new one. */
    async find(key: string): Promise<KeyFacts> {
      const { found, isStale } = await cache.get(hashOf(key))
      return { license: found, mistyped: mistypedHint(key), isStale }
    },
    /** Whether this process has seen the key work lately. Asks nobody. */
    isKnown: (key: string): boolean => cache.isKnown(hashOf(key)),
  }
}
export type KnownLicenses = ReturnType<typeof createKnownLicenses>
