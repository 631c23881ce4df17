import { randomBytes } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { createLicense, type LicenseTerms } from './create-license.ts'
import type { LicenseRecordsStore } from './license-records-store.ts'

const PBX_KEY_PREFIX = 'wlpbx_'
/** Letters of a PBX key that support may know it by. */
const PREFIX_LENGTH = PBX_KEY_PREFIX.length + 4

export interface NewTenant extends Omit<LicenseTerms, 'tenantId'> {
  name: string
}

/**
 * A customer with a licence key for `/v1/push` and a PBX key for `/api/v1/pbx`. The keys are returned in clear once and stored
 * as hashes.
 */
export async function createTenant(
  { licenseRecords, keyring, clock }: { licenseRecords: LicenseRecordsStore; keyring: Keyring; clock: Clock },
  { name, ...terms }: NewTenant,
): Promise<{ tenantId: string; licenseId: string; licenseKey: string; pbxKey: string }> {
  const tenantId = newId()
  // 160 random bits.
  const pbxKey = `${PBX_KEY_PREFIX}${randomBytes(20).toString('hex')}`
  return licenseRecords.together(async ({ tenants, ...records }) => {
    await tenants.insert({ id: tenantId, name })
    await tenants.insertPbxKey(tenantId, name, {
      id: newId(),
      keyHash: keyring.pbxKeyHash(pbxKey),
      keyPrefix: pbxKey.slice(0, PREFIX_LENGTH),
    })
    const by = { actor: 'shell', now: clock.now() } as const
    const { license, key } = await createLicense(records, keyring, { ...terms, tenantId }, by)
    return { tenantId, licenseId: license.id, licenseKey: key, pbxKey }
  })
}
