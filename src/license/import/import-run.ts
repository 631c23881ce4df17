import type { Clock } from '../../lib/clock.ts'
import type { Keyring } from '../../lib/keyring.ts'
import { HOUR } from '../../lib/units.ts'
import type { PushLogPartitionStore } from '../../push/push-log-partition-store.ts'
import type { PushLogStore } from '../../push/push-log-store.ts'
import { createDifferences, createTally, type Differences, type Tally } from './import-report.ts'
import type { ImportStore } from './import-store.ts'
import type { Owner } from './judge-rows.ts'

export interface ImportDeps {
  store: ImportStore
  pushLogStore: Pick<PushLogStore, 'close'>
  pushLogPartitions: Pick<PushLogPartitionStore, 'ensure'>
  keyring: Pick<Keyring, 'licenseKeyHash' | 'tokenHash'>
  clock: Clock
  pushLogDays: number
  /** Which app's phones FlowPBX rang. */
  appId: string
}

/** Clocks of servers differ by less. */
export const CLOCK_TOLERANCE_MS = HOUR

/** What an import knows while it goes on. Of the rows only the licences stay in memory. */
export interface ImportRun extends ImportDeps {
  dryRun: boolean
  now: number
  owners: { bySourceId: Map<string, Owner>; byKeyHash: Map<string, Owner> }
  tallies: { licenses: Tally; installations: Tally; pushLogs: Tally }
  differences: Differences
}

export const createImportRun = (deps: ImportDeps, dryRun: boolean): ImportRun => ({
  ...deps,
  dryRun,
  now: deps.clock.now(),
  owners: { bySourceId: new Map(), byKeyHash: new Map() },
  tallies: { licenses: createTally(), installations: createTally(), pushLogs: createTally() },
  differences: createDifferences(),
})
