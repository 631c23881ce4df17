import { createBatcher } from '../lib/batcher.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Acceptance, NewPending, PendingPushStore } from './pending-push-store.ts'
import type { MessageLanePush } from './push.ts'
import type { Provider } from './push-kinds.ts'
import { sealPush } from './sealed-push.ts'

/** A caller gets its 503 while it still waits; with an idempotency key it may then ask again without fear. */
const COMMIT_MS = 5 * SECOND
/** Rows of one commit. */
const BATCH = 500
/** The job is only a reminder: what takes longer is left to the sweep. */
const ENQUEUE_MS = 500

export type EnqueueMessages = (
  provider: Provider,
  jobs: readonly { id: string; generation: number }[],
) => Promise<void>

export interface SubmitMessageDeps {
  pendingPushes: PendingPushStore
  enqueueMessages: EnqueueMessages
  keyring: Keyring
  events: Events
}

/**
 * Accepts a push of the messages lane: resolves when its row is committed, and from then on it is delivered or its row says why
 * not. The job follows on its own. Throws `store_unavailable` when the row cannot be written, and then there is no push.
 *
 * @param requestHash of the request, when the caller gave an idempotency key
 * @returns `repeated` when the same request was accepted before under its key
 * @throws `idempotency_conflict` when the key was used with another request
 */
export function createSubmitMessage({ pendingPushes, enqueueMessages, keyring, events }: SubmitMessageDeps) {
  const accepts = createBatcher((items: NewPending[]) => acceptAll(pendingPushes, items), {
    size: BATCH,
    parallel: 4,
  })
  const enqueues = createBatcher(
    async (pushes: MessageLanePush[]) => {
      const byProvider = Map.groupBy(pushes, ({ provider }) => provider)
      const added = [...byProvider].map(([provider, own]) =>
        enqueueMessages(
          provider,
          own.map(({ id }) => ({ id, generation: 0 })),
        ),
      )
      await within(ENQUEUE_MS, 'adding jobs', Promise.all(added))
      return pushes.map(() => undefined)
    },
    { size: BATCH, parallel: 4 },
  )

  return async function submitMessage(
    push: MessageLanePush,
    requestHash?: string,
  ): Promise<'accepted' | 'repeated'> {
    const item = { push, sealed: sealPush(keyring, push), ...(requestHash !== undefined && { requestHash }) }
    const accepted = await within(COMMIT_MS, 'accepting a push', accepts.add(item)).catch(
      (cause: unknown) => {
        throw new Problem('store_unavailable', { retryAfter: 1, cause })
      },
    )
    if (accepted.is === 'known') {
      if (accepted.requestHash !== requestHash) throw new Problem('idempotency_conflict')
      return 'repeated'
    }
    enqueues.add(push).catch((error: unknown) => events.backgroundError('queue', toError(error)))
    return 'accepted'
  }
}
export type SubmitMessage = ReturnType<typeof createSubmitMessage>

/** The same key several times at once: the first request makes the push, the others find it. */
async function acceptAll(store: PendingPushStore, items: NewPending[]): Promise<Acceptance[]> {
  const first = new Map<string, NewPending>()
  for (const item of items) if (!first.has(item.push.id)) first.set(item.push.id, item)
  const unique = [...first.values()]
  const accepted = await store.accept(unique)
  const results = new Map(unique.map((item, index) => [item, accepted[index]]))
  return items.map((item) => {
    const own = results.get(item)
    if (own) return own
    const other = first.get(item.push.id)
    const theirs = other && results.get(other)
    return theirs?.is === 'known' ? theirs : { is: 'known', requestHash: other?.requestHash ?? '' }
  })
}
