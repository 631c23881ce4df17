import { createHash } from 'node:crypto'
import { within } from '../lib/deadline.ts'
import { derivedId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { HOUR } from '../lib/units.ts'
import type { PendingPushStore } from '../push/pending-push-store.ts'
import type { CallLanePush } from '../push/push.ts'
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

interface KeyStores {
  signals: Signals
  pendingPushes: PendingPushStore
}

/** What stands under a key in place of a request that was refused with 503: how many of them there were. */
const REFUSED = /^refused (\d+)$/

/**
 * For calls, whose rows may come late: claims the key where all nodes see it, or in the database while that is away.
 *
 * @returns the push that belongs to the key, with the times of the first request that named it
 * @throws `idempotency_conflict` when an earlier one said something else
 */
export async function claimKey(
  stores: KeyStores,
  push: CallLanePush,
  hash: string,
): Promise<{ push: CallLanePush; isNew: boolean }> {
  const value = `${hash} ${push.acceptedAt} ${push.expiresAt}`
  const first = await claim(stores, push.id, value)
  const refused = REFUSED.exec(first ?? '')?.[1]
  if (refused === undefined) return judge(push, hash, first)
  // What was refused must never leave, even if its job comes late; so the next request makes another push.
  const next = { ...push, id: derivedId(push.tenantId, 'again', push.id, refused) }
  return judge(next, hash, await claim(stores, next.id, value))
}

/** Forgets the request with which the key came: it was answered with 503, and nothing of it is sent. */
export async function releaseKey(stores: KeyStores, push: CallLanePush): Promise<void> {
  const current = await claim(stores, push.id, 'refused 0')
  const count = Number(REFUSED.exec(current ?? '')?.[1] ?? 0)
  const signal = { key: keyOf(push.id), value: `refused ${count + 1}`, ttlMs: KEEP_MS }
  await within(STORE_MS, 'releasing a key', stores.signals.put(signal)).catch(() =>
    within(STORE_MS, 'releasing a key', stores.pendingPushes.replaceKey(push.id, signal.value)),
  )
}

const keyOf = (pushId: string): string => `idempotency.${pushId}`

/** Undefined: the key is ours; else what stands there. */
const claim = ({ signals, pendingPushes }: KeyStores, pushId: string, value: string) =>
  within(STORE_MS, 'claiming a key', signals.claim(keyOf(pushId), value, KEEP_MS))
    .catch(() => within(STORE_MS, 'claiming a key', pendingPushes.claimKey(pushId, value)))
    .catch((cause: unknown) => {
      // Without a store we cannot know whether this is a repetition, and ringing twice is worse than not at all.
      throw new Problem('queue_unavailable', { retryAfter: 1, cause })
    })

function judge(push: CallLanePush, hash: string, first: string | undefined) {
  if (first === undefined) return { push, isNew: true }
  const [firstHash, acceptedAt, expiresAt] = first.split(' ')
  if (firstHash !== hash) throw new Problem('idempotency_conflict')
  return { push: { ...push, acceptedAt: Number(acceptedAt), expiresAt: Number(expiresAt) }, isNew: false }
}
