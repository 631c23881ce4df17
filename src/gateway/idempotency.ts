import { createHash } from 'node:crypto'
import { within } from '../lib/deadline.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { HOUR } from '../lib/units.ts'
import type { PendingPushStore } from '../push/pending-push-store.ts'
import type { Signals } from '../signals/signals.ts'
import type { BatchItem, PushRequest } from './push-request.ts'

const KEEP_MS = 24 * HOUR
/** A call waits for it. */
const STORE_MS = 150

/** The same for the same request, and of no use for anything else: it holds no token and no name. */
export function requestHash(keyring: Keyring, request: PushRequest | BatchItem): string {
  const { push_token, ...rest } = { ...request, license_key: undefined }
  const body = JSON.stringify([keyring.tokenHash(push_token), Object.entries(rest).sort()])
  return createHash('sha256').update(body).digest('hex')
}

/**
 * For calls, whose rows may come late: claims the key where all nodes see it, or in the database while that is away.
 *
 * @returns true for the first request with this key
 * @throws `idempotency_conflict` when an earlier one said something else
 */
export async function claimKey(
  { signals, pendingPushes }: { signals: Signals; pendingPushes: PendingPushStore },
  pushId: string,
  hash: string,
): Promise<boolean> {
  const first = await within(
    STORE_MS,
    'claiming a key',
    signals.claim(`idempotency.${pushId}`, hash, KEEP_MS),
  )
    .catch(() => within(STORE_MS, 'claiming a key', pendingPushes.claimKey(pushId, hash)))
    .catch((cause: unknown) => {
      // Without a store we cannot know whether this is a repetition, and ringing twice is worse than not at all.
      throw new Problem('queue_unavailable', { retryAfter: 1, cause })
    })
  if (first === undefined) return true
  if (first !== hash) throw new Problem('idempotency_conflict')
  return false
}
