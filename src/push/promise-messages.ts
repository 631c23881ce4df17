import { toError } from '../lib/error.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Events } from '../observability/events.ts'
import type { PendingPushStore } from './pending-push-store.ts'
import type { MessageLanePush } from './push.ts'
import { sealPush } from './sealed-push.ts'
import type { EnqueueMessages, SubmitMessage } from './submit-message.ts'

/** Pushes that are committed together with what they tell of. */
export interface Promises {
  /** Takes its place while they are gathered. */
  submitMessage: SubmitMessage
  /** In the transaction that makes true what they tell of. */
  write(pendingPushes: PendingPushStore): Promise<void>
  /** After its commit: gives the workers the jobs. Nobody waits for it, and whatever gets lost is found by the sweep. */
  remind(): void
}
export type OpenPromises = () => Promises

export interface PromiseMessagesDeps {
  keyring: Keyring
  enqueueMessages: EnqueueMessages
  events: Events
}

export const createPromiseMessages =
  ({ keyring, enqueueMessages, events }: PromiseMessagesDeps): OpenPromises =>
  () => {
    const pushes: MessageLanePush[] = []
    return {
      async submitMessage(push) {
        pushes.push(push)
        return 'accepted'
      },
      async write(pendingPushes) {
        // Also of none: after a question that failed, and whose failure was no reason to stop, PostgreSQL refuses this one. It would
        // take the commit without a word, and undo everything.
        await pendingPushes.accept(pushes.map((push) => ({ push, sealed: sealPush(keyring, push) })))
      },
      remind() {
        for (const [provider, own] of Map.groupBy(pushes, (push) => push.provider)) {
          const jobs = own.map(({ id }) => ({ id, generation: 0 }))
          enqueueMessages(provider, jobs).catch((error: unknown) =>
            events.backgroundError('queue', toError(error)),
          )
        }
      },
    }
  }
