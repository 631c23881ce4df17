import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { MINUTE } from '../lib/units.ts'
import type { PhoneStore, Phones } from './phone-store.ts'

/** A call that waits for a slow database loses the time that its phone needs to wake up; so it does not, if there is a choice. */
const LOOKUP_MS = 500
/** With the database away, phones that were called this recently are called all the same. */
const STALE_MS = 15 * MINUTE
/** About 1 kB each. */
const MAX_ENTRIES = 20_000

export interface RememberedPhones extends PhoneStore {
  /** A phone of the extension is somebody else's now. */
  forget(tenantId: string, number: string): void
}

/**
 * The phones of an extension, also while the database is away: then as they were at its last call. Do-not-disturb is
 * seen late; the alternative is that nothing rings.
 */
export function rememberPhones(store: PhoneStore, onError: (error: Error) => void): RememberedPhones {
  const known = new Map<string, { phones: Phones; at: number }>()
  const remember = (key: string, phones: Phones | undefined) => {
    known.delete(key)
    if (phones) known.set(key, { phones, at: performance.now() })
    const [oldest] = known.keys()
    if (known.size > MAX_ENTRIES && oldest !== undefined) known.delete(oldest)
  }
  return {
    async find(tenantId, number) {
      const key = `${tenantId} ${number}`
      const last = known.get(key)
      const isFresh = last !== undefined && performance.now() - last.at <= STALE_MS
      const asked = store.find(tenantId, number).then((phones) => {
        remember(key, phones)
        return phones
      })
      if (!isFresh) return asked
      return within(LOOKUP_MS, 'looking phones up', asked).catch((error: unknown) => {
        onError(toError(error))
        return last.phones
      })
    },
    forget: (tenantId, number) => void known.delete(`${tenantId} ${number}`),
  }
}
