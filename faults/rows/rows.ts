import { crashAfterWrite, crashingAt } from './crash-points.ts'
import { poison } from './poison.ts'
import { frozenPostgres, killedSessions, stoppedPostgres } from './postgres-faults.ts'
import { absentRedis, cutConnections, frozenRedis, killedRedis, wipedRedis } from './redis-faults.ts'
import type { Row } from './row.ts'
import { documentedErrors, retryAfter, silentVendors, undocumentedErrors } from './vendor-faults.ts'
import { frozenWorkers, killedCallWorkers } from './worker-faults.ts'

/** Under the numbers of the fault matrix; F0 is what the others are measured against. */
export const ROWS = {
  F0: { title: 'nothing', hurt: ({ lasting }) => lasting(10_000, 3_000), callsSent: 1 },
  F1: crashingAt('after_fetch', 'worker of messages dies: job taken'),
  F2: crashingAt('after_fence', 'worker of messages dies: push taken up, nothing sent'),
  F3: crashAfterWrite,
  F4: crashingAt('after_response', 'worker of messages dies: answer read, nothing noted'),
  F5: crashingAt('after_checkpoint', 'worker of messages dies: answer noted, row open'),
  F6: crashingAt('after_ledger', 'worker of messages dies: row closed, job open'),
  F7: killedCallWorkers,
  F13: frozenWorkers,
  F15: poison,
  F16: killedRedis,
  F17: wipedRedis,
  F18: frozenRedis,
  F19: cutConnections,
  F28: absentRedis,
  F29: killedSessions,
  F30: stoppedPostgres,
  F31: frozenPostgres,
  F40: documentedErrors,
  F46: silentVendors,
  F48: retryAfter,
  F49: undocumentedErrors,
} as const satisfies Record<string, Row>
export type RowName = keyof typeof ROWS
export const ROW_NAMES = Object.keys(ROWS) as RowName[]
export const rowOf = (name: RowName): Row => ROWS[name]
