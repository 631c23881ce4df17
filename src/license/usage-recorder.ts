import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { UsageRecorder } from '../limits/push-allowances.ts'
import { dayOf } from '../limits/push-limits.ts'
import type { UsageDay, UsageStore } from './usage-store.ts'

const WRITE_EVERY_MS = 5 * SECOND
/** A statement of 1,000 rows takes some ms; there are as many rows as licences that pushed. */
const BATCH = 1_000

/** Counts in memory and adds to the table every few seconds: a push costs nothing but a look into a map. */
export function createUsageRecorder(deps: {
  usageStore: Pick<UsageStore, 'add'>
  clock: Clock
  onError: (error: Error) => void
}) {
  const { usageStore, clock, onError } = deps
  let counted = new Map<string, UsageDay>()

  const put = (usage: UsageDay) => {
    const key = `${usage.licenseId} ${usage.day}`
    const known = counted.get(key)
    if (!known) return void counted.set(key, usage)
    known.calls += usage.calls
    known.messages += usage.messages
    known.refusedCalls += usage.refusedCalls
    known.refusedMessages += usage.refusedMessages
  }

  const write = async (): Promise<void> => {
    const days = [...counted.values()]
    counted = new Map()
    for (let from = 0; from < days.length; from += BATCH) {
      const batch = days.slice(from, from + BATCH)
      await usageStore.add(batch).catch((error: unknown) => {
        onError(toError(error))
        // With the next ones, once the database is back.
        batch.forEach(put)
      })
    }
  }
  let writing = Promise.resolve()
  const writeNext = (): Promise<void> => {
    writing = writing.then(write)
    return writing
  }
  const timer = setInterval(() => void writeNext(), WRITE_EVERY_MS).unref()

  const add: UsageRecorder['add'] = (licenseId, lane, { accepted, refused }) => {
    const isCalls = lane === 'calls'
    put({
      licenseId,
      day: dayOf(clock.now()),
      calls: isCalls ? accepted : 0,
      messages: isCalls ? 0 : accepted,
      refusedCalls: isCalls ? refused : 0,
      refusedMessages: isCalls ? 0 : refused,
    })
  }
  return {
    add,
    /** Writes what is counted; resolves also when the database is away. */
    flush: writeNext,
    async close(): Promise<void> {
      clearInterval(timer)
      await writeNext()
    },
  }
}
export type LicenseUsageRecorder = ReturnType<typeof createUsageRecorder>
