import { createKeyCache } from '../lib/key-cache.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { AddressGuard } from '../limits/address-guard.ts'
import type { KeyedLicense } from './license.ts'
import { canonicalKey, mistypedHint } from './license-key.ts'
import { fromStore } from './license-refusal.ts'
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
 * licences stay what they were for a while.
 */
export function createKnownLicenses(deps: {
  licenses: Pick<LicenseStore, 'findByKeyHash'>
  keyring: Pick<Keyring, 'licenseKeyHash'>
  addressGuard: AddressGuard
  /** How long known licences are good while the store is away. */
  staleMs: number
  onError: (error: unknown) => void
}) {
  const { licenses, keyring, addressGuard } = deps
  const cache = createKeyCache<KeyedLicense>({
    find: (hash) => licenses.findByKeyHash(hash),
    onError: deps.onError,
    staleMs: deps.staleMs,
  })
  const hashOf = (key: string) => keyring.licenseKeyHash(canonicalKey(key))
  return {
    /** Whether this process has seen the key work. Asks nobody. */
    has: (key: string): boolean => cache.isKnown(hashOf(key)),

    /**
     * Does the same work for every key that is nobody's, however it is written. For an address that tried others a key that works
     * goes on, and one that is not known here is looked up when it comes again. Throws `rate_limited`, and `store_unavailable` when the store cannot be asked about a new key.
     *
     * @param address who brings the key
     */
    async find(key: string, address: string): Promise<KeyFacts> {
      const hash = hashOf(key)
      if (!cache.isKnown(hash)) await addressGuard.check(address, hash)
      const { found, isStale } = await fromStore(cache.get(hash))
      if (found) return { license: found, mistyped: undefined, isStale }
      await addressGuard.failed(address)
      return { license: undefined, mistyped: mistypedHint(key), isStale }
    },
  }
}
export type KnownLicenses = ReturnType<typeof createKnownLicenses>
