import { within } from '../../lib/deadline.ts'
import { toError } from '../../lib/error.ts'
import type { Signals } from '../../signals/signals.ts'

export type PresenceStatus = 'online' | 'offline'

/** Nobody waits longer to learn who is there: without an answer somebody counts as away. */
const ANSWER_MS = 1_000
/** Keys in one question or one go. */
const SLICE = 500

const keyOf = (extensionId: number) => `presence.${extensionId}`

/** Who is there, over all nodes: a key that each node that holds somebody renews, and that ends with the last of them. */
export function createPresenceKeys(
  signals: Pick<Signals, 'get' | 'put'>,
  ttlMs: number,
  onError: (error: Error) => void,
) {
  const writeSlice = (slice: readonly number[], status: PresenceStatus) =>
    within(
      ANSWER_MS,
      'noting presence',
      Promise.all(slice.map((id) => signals.put({ key: keyOf(id), value: status, ttlMs }))),
    ).catch((error: unknown) => onError(toError(error)))

  return {
    /** Never rejects. */
    async note(extensionIds: readonly number[], status: PresenceStatus): Promise<void> {
      for (const slice of slices(extensionIds)) await writeSlice(slice, status)
    },

    /** Those who are there; undefined: nobody knows. Never rejects. */
    async online(extensionIds: readonly number[]): Promise<Set<number> | undefined> {
      const found = new Set<number>()
      try {
        for (const slice of slices(extensionIds)) {
          const values = await within(ANSWER_MS, 'reading presence', signals.get(slice.map(keyOf)))
          slice.forEach((id, index) => {
            if (values[index] === 'online') found.add(id)
          })
        }
        return found
      } catch (error) {
        onError(toError(error))
        return undefined
      }
    },
  }
}

const slices = (ids: readonly number[]): number[][] =>
  Array.from({ length: Math.ceil(ids.length / SLICE) }, (_, i) => ids.slice(i * SLICE, (i + 1) * SLICE))
