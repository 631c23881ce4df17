import { batchedRows } from './batched-rows.ts'
import { closedLoopPushes } from './closed-loop-pushes.ts'
import { heldCalls } from './held-calls.ts'
import { pacedPushes } from './paced-pushes.ts'
import { phones } from './phones.ts'
import { closedLoopRawPushes, pacedRawPushes } from './raw-pushes.ts'
import { releasedHolds } from './released-holds.ts'
import { roundTrips } from './round-trips.ts'

/** Everything that a load generator can be told to do. */
export const scenarios = {
  batchedRows,
  closedLoopPushes,
  closedLoopRawPushes,
  heldCalls,
  pacedPushes,
  pacedRawPushes,
  phones,
  releasedHolds,
  roundTrips,
}
export type Scenarios = typeof scenarios
