import { DAY } from '../../lib/units.ts'
import type { FlowpbxSource } from './flowpbx-store.ts'
import { createInstallationImport } from './import-installations.ts'
import { importLicenses } from './import-licenses.ts'
import { importPushLogs } from './import-push-logs.ts'
import type { ImportReport } from './import-report.ts'
import { CLOCK_TOLERANCE_MS, createImportRun, type ImportDeps, type ImportRun } from './import-run.ts'

/**
 * Brings the licences, installations and push log of a FlowPBX gateway here. Ids derive from what is there, and what is here stays
 * as it is: the second run finds everything done, and one that was killed is simply started again.
 */
export async function importFlowpbx(
  deps: ImportDeps,
  source: FlowpbxSource,
  { dryRun }: { dryRun: boolean },
): Promise<ImportReport> {
  const run = createImportRun(deps, dryRun)
  // Each needs what the ones before it found.
  for await (const rows of source.licenses()) await importLicenses(run, rows)
  const importInstallations = createInstallationImport(run)
  for await (const rows of source.installations()) await importInstallations(rows)

  const since = new Date(run.now - deps.pushLogDays * DAY)
  const tooOld = await source.countPushLogsBefore(since)
  run.tallies.pushLogs.count('read', tooOld)
  run.tallies.pushLogs.skip(`older than the ${deps.pushLogDays} days of the push log here`, undefined, tooOld)
  if (!dryRun) await makeDays(run, await source.pushLogDays(since))
  for await (const rows of source.pushLogs(since)) await importPushLogs(run, rows)

  return {
    dry_run: dryRun,
    licenses: run.tallies.licenses.report(),
    installations: run.tallies.installations.report(),
    push_logs: run.tallies.pushLogs.report(),
    ...run.differences.report(),
  }
}

/** Somebody who reads the whole log holds a day up, for half a second at each try. */
const DAY_TRIES = 10
const LOCK_NOT_AVAILABLE = '55P03'

/** Rows that come before their day has a partition would stay in the default one for good. */
async function makeDays({ pushLogPartitions, now }: ImportRun, days: readonly Date[]): Promise<void> {
  const past = days.filter((day) => day.getTime() <= now + CLOCK_TOLERANCE_MS)
  for (const day of past) await retried(() => pushLogPartitions.ensure(day.getTime(), 1))
}

async function retried(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return void (await work())
    } catch (error) {
      const isBusy = (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE
      if (!isBusy || attempt === DAY_TRIES) throw error
    }
  }
}
