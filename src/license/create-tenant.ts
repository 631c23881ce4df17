import { randomBytes } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { createLicense, type LicenseTerms } from './create-license.ts'
import type { LicenseRecordsStore } from './license-records-store.ts'
import type { PbxKeyRecords } from './pbx-key-store.ts'
import type { TenantStore } from './tenant-store.ts'

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
  return licenseRecords.together(async ({ tenants, pbxKeys, ...records }) => {
    const tenantId = await addTenant(tenants, name)
    const pbxKey = await addPbxKey(pbxKeys, keyring, { id: tenantId, name })
    const by = { actor: 'shell', now: clock.now() } as const
    const { license, key } = await createLicense(records, keyring, { ...terms, tenantId }, by)
    return { tenantId, licenseId: license.id, licenseKey: key, pbxKey }
  })
}

export async function addTenant(tenants: TenantStore, name: string): Promise<string> {
  const id = newId()
  await tenants.insert({ id, name })
  return id
}

/** The key is in clear here and nowhere else. */
export async function addPbxKey(
  pbxKeys: Pick<PbxKeyRecords, 'insert'>,
  keyring: Keyring,
  tenant: { id: string; name: string },
): Promise<string> {
  // 160 random bits.
  const key = `${PBX_KEY_PREFIX}${randomBytes(20).toString('hex')}`
  await pbxKeys.insert({
    id: newId(),
    tenantId: tenant.id,
    name: tenant.name,
    keyHash: keyring.pbxKeyHash(key),
    keyPrefix: key.slice(0, PREFIX_LENGTH),
  })
  return key
}
