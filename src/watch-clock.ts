import type { Context } from './context.ts'
import { readDatabaseTime } from './db/database-time.ts'
import type { Loop } from './lib/loop.ts'
import { startClockWatch } from './observability/clock-watch.ts'

/** Once in each process that stays. */
export const watchClock = (context: Context): Loop =>
  startClockWatch({ ...context, databaseTime: () => readDatabaseTime(context.db) })
