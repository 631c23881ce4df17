import { randomBytes } from 'node:crypto'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { TenantStore } from './tenant-store.ts'

/** Letters of the prefix that support may know a key by; far too few to guess the rest. */
const PREFIX_LENGTH = 8

/** How many extensions a tier may have. */
export const TIERS = { free: 5, standard: 25, professional: 100 } as const
export type Tier = keyof typeof TIERS

export interface NewTenant {
  name: string
  tier: Tier
}

/**
 * A customer with a licence key for `/v1/push` and a PBX key for `/api/v1/pbx`. The keys are returned in clear once and
 * stored as hashes.
 */
export async function createTenant(
  { tenants, keyring }: { tenants: TenantStore; keyring: Keyring },
  { name, tier }: NewTenant,
): Promise<{ tenantId: string; licenseKey: string; pbxKey: string }> {
  // 160 random bits each, in letters that survive being read out.
  const licenseKey = `WL-${groups(randomKey())}`
  const pbxKey = `wlpbx_${randomKey()}`
  const tenantId = newId()
  await tenants.insert({
    id: tenantId,
    name,
    license: {
      id: newId(),
      keyHash: keyring.licenseKeyHash(licenseKey),
      keyPrefix: licenseKey.slice(0, PREFIX_LENGTH),
      tier,
      maxExtensions: TIERS[tier],
    },
    pbxKey: {
      id: newId(),
      keyHash: keyring.pbxKeyHash(pbxKey),
      keyPrefix: pbxKey.slice(0, PREFIX_LENGTH + 2),
    },
  })
  return { tenantId, licenseKey, pbxKey }
}

/** Crockford's alphabet: no letter that looks like another one. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const KEY_LENGTH = 32

const randomKey = (): string =>
  Array.from(randomBytes(KEY_LENGTH), (byte) => ALPHABET[byte % ALPHABET.length]).join('')
const groups = (key: string): string => (key.match(/.{1,8}/g) ?? []).join('-')
