import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { canonicalKey } from './license-key.ts'
import type { LicenseStore } from './license-store.ts'

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The id of the licence that is meant: by its id, a whole key, or the prefix of one. Replaced keys still name their licence. */
export async function findLicenseId(
  { licenses, keyring }: { licenses: LicenseStore; keyring: Keyring },
  text: string,
): Promise<string> {
  const word = text.trim()
  if (UUID.test(word)) {
    const found = await licenses.find(word)
    if (found) return found.id
    throw new Problem('unknown_license')
  }
  // A database can neither store nor compare it.
  if (word.includes('\0')) throw new Problem('unknown_license')
  const found = await licenses.findByKeyHash(keyring.licenseKeyHash(canonicalKey(word)))
  if (found) return found.id
  const exact = await licenses.idsByPrefix(word)
  const ids = exact.length > 0 ? exact : await licenses.idsByPrefix(word.toUpperCase())
  const [id, another] = ids
  if (id === undefined) throw new Problem('unknown_license')
  if (another !== undefined) throw new Problem('license_ambiguous')
  return id
}
