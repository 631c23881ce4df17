import type { FlowpbxInstallation } from './flowpbx-store.ts'
import type { ImportRun } from './import-run.ts'
import { judgeInstallation } from './judge-rows.ts'

/** Of a machine that was activated again and again, the row seen last keeps the seat: it comes first. */
export function createInstallationImport(run: ImportRun) {
  const tally = run.tallies.installations
  let licenseId = ''
  let seated = new Set<string>()
  return async (rows: FlowpbxInstallation[]): Promise<void> => {
    tally.count('read', rows.length)
    const judged = rows.flatMap((row) => {
      const owner = row.license_id === null ? undefined : run.owners.bySourceId.get(row.license_id)
      const { value, fault } = judgeInstallation(row, owner)
      if (fault !== undefined) tally.skip(fault, row.id)
      return value ? [{ ...value, sourceId: row.id }] : []
    })
    const here = await run.store.findInstallations(judged.map(({ installation }) => installation.id))
    const active = await run.store.activeIdentities([
      ...new Set(judged.map(({ installation }) => installation.licenseId)),
    ])
    const fresh = judged.flatMap(({ installation, identity, sourceId }) => {
      if (installation.licenseId !== licenseId) {
        licenseId = installation.licenseId
        seated = new Set()
      }
      const isSeated = seated.has(identity) || active.has(`${licenseId} ${identity}`)
      seated.add(identity)
      const holder = here.get(installation.id)
      if (holder !== undefined) {
        if (holder === licenseId) tally.count('already_there', 1)
        else tally.skip('another licence has an installation of this instance_id', sourceId)
        return []
      }
      return isSeated
        ? [{ ...installation, deactivatedAt: run.now, deactivatedWhy: 'dead' as const }]
        : [installation]
    })
    const created = run.dryRun ? fresh.length : await run.store.insertInstallations(fresh)
    tally.count('created', created)
    tally.count('already_there', fresh.length - created)
  }
}
