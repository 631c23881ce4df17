import type { FlowpbxLicense } from './flowpbx-store.ts'
import type { ImportRun } from './import-run.ts'
import { differencesOf, judgeLicense } from './judge-rows.ts'

/** One tenant a licence: FlowPBX knew no customers. The key stays what it was, so PBXes notice nothing. */
export async function importLicenses(run: ImportRun, rows: FlowpbxLicense[]): Promise<void> {
  const tally = run.tallies.licenses
  tally.count('read', rows.length)
  const judged = rows.flatMap((row) => {
    const { value, fault } = judgeLicense(row, run.keyring.licenseKeyHash)
    if (value && !run.owners.byKeyHash.has(value.keyHash)) {
      const { id, tenantId } = value.license
      run.owners.byKeyHash.set(value.keyHash, { licenseId: id, tenantId })
      return [value]
    }
    tally.skip(fault ?? 'an earlier row has the same key, written in another way', row.id)
    return []
  })
  const here = await run.store.findLicenses(judged)
  for (const { sourceId, license, keyHash } of judged) {
    const known = here.get(keyHash)
    const { id: licenseId, tenantId } = known ?? license
    run.owners.bySourceId.set(sourceId, { licenseId, tenantId })
    run.owners.byKeyHash.set(keyHash, { licenseId, tenantId })
    const fields = known ? differencesOf(known, license) : []
    if (fields.length > 0) run.differences.add({ id: sourceId, license_id: licenseId, fields })
  }
  const fresh = judged.filter(({ keyHash }) => !here.has(keyHash))
  const created = run.dryRun ? fresh.length : await run.store.insertLicenses(fresh, run.now)
  tally.count('created', created)
  tally.count('already_there', judged.length - created)
}
