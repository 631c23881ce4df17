import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { Signals } from '../signals/signals.ts'

/** An app that is open says so this often; one that said nothing for half as long again is not before anybody's eyes. */
export const ATTENTIVE_MS = 45 * SECOND
/** Nobody's message waits longer for it: without an answer nobody is attentive, and a push too many is shown to nobody. */
const ANSWER_MS = 500

const keyOf = (deviceId: string) => `attention.${deviceId}`
const OPEN = 'open'

/** Whose app is open in front of him now, over all nodes. */
export function createAttention(signals: Pick<Signals, 'get' | 'put'>, onError: (error: Error) => void) {
  const put = (deviceId: string, value: string) =>
    within(
      ANSWER_MS,
      'noting attention',
      signals.put({ key: keyOf(deviceId), value, ttlMs: ATTENTIVE_MS }),
    ).catch((error: unknown) => onError(toError(error)))
  return {
    /** The app says that it is open, or that it no longer is. Never rejects. */
    note: (deviceId: string, isOpen: boolean): Promise<void> => put(deviceId, isOpen ? OPEN : ''),

    /** Which of the phones have their app open. Never rejects. */
    async attentive(deviceIds: readonly string[]): Promise<Set<string>> {
      if (deviceIds.length === 0) return new Set()
      try {
        const asked = signals.get(deviceIds.map(keyOf))
        const values = await within(ANSWER_MS, 'reading attention', asked)
        return new Set(deviceIds.filter((_, index) => values[index] === OPEN))
      } catch (error) {
        onError(toError(error))
        return new Set()
      }
    },
  }
}
export type Attention = ReturnType<typeof createAttention>
