import { batchedRows } from './batched-rows.ts'
import { closedLoopPushes } from './closed-loop-pushes.ts'
import { closedLoopRequests } from './closed-loop-requests.ts'
import { groupMessages } from './group-messages.ts'
import { heldCalls } from './held-calls.ts'
import { historyPages, historyPlan, historyWrites } from './history-pages.ts'
import { logins } from './logins.ts'
import { messageBatches } from './message-batches.ts'
import { openSockets } from './open-sockets.ts'
import { pacedPushes } from './paced-pushes.ts'
import { phones } from './phones.ts'
import { pushLogSearches } from './push-log-searches.ts'
import { pushLogWriter, pushLogWrites } from './push-log-writes.ts'
import { closedLoopRawPushes, pacedRawPushes } from './raw-pushes.ts'
import { releasedHolds } from './released-holds.ts'
import { roundTrips } from './round-trips.ts'

/** Everything that a load generator can be told to do. */
export const scenarios = {
  batchedRows,
  closedLoopPushes,
  closedLoopRequests,
  closedLoopRawPushes,
  groupMessages,
  heldCalls,
  historyPages,
  historyPlan,
  historyWrites,
  logins,
  messageBatches,
  openSockets,
  pacedPushes,
  pacedRawPushes,
  phones,
  pushLogSearches,
  pushLogWriter,
  pushLogWrites,
  releasedHolds,
  roundTrips,
}
export type Scenarios = typeof scenarios
