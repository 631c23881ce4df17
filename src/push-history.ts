import type { Config } from './config/config.ts'
import { type DatabaseOptions, openDatabase } from './db/database.ts'
import type { Releaser } from './lib/releaser.ts'
import { MINUTE } from './lib/units.ts'
import { createIdempotencyKeyStore } from './push/idempotency-key-store.ts'
import { createPushLogPartitionStore } from './push/push-log-partition-store.ts'
import { createPushSearchStore } from './push/push-search-store.ts'

/** Moving rows between days takes as long as there are rows, and nobody waits for it. */
const MAINTENANCE_MS = 10 * MINUTE

/** What looks after the push log and what searches it, on connections that no push needs; they are opened when one is used. */
export function openPushHistory(databaseUrl: string, { pushLogDays }: Config, releaser: Releaser) {
  const open = (options: DatabaseOptions) =>
    releaser.add(openDatabase(databaseUrl, options), (pool) => pool.destroy())
  const maintenance = open({ poolSize: 1, queryMs: MAINTENANCE_MS })
  return {
    pushLogPartitions: createPushLogPartitionStore(maintenance),
    idempotencyKeys: createIdempotencyKeyStore(maintenance),
    pushSearch: createPushSearchStore(open({ poolSize: 3 }), pushLogDays),
  }
}
