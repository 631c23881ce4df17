import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import type { Events } from '../observability/events.ts'
import type { Provider } from '../push/push-kinds.ts'
import type { EnqueueMessages } from '../push/submit-message.ts'

/** The job is only a reminder: what takes longer is left to the sweep. */
const ENQUEUE_MS = 500

/** Adds a job for each push that is promised. Never rejects. */
export async function remind(
  { enqueueMessages, events }: { enqueueMessages: EnqueueMessages; events: Pick<Events, 'backgroundError'> },
  pushes: readonly { push: { id: string; provider: Provider } }[],
): Promise<void> {
  const added = [...Map.groupBy(pushes, ({ push }) => push.provider)].map(([provider, own]) =>
    enqueueMessages(
      provider,
      own.map(({ push: { id } }) => ({ id, generation: 0 })),
    ),
  )
  await within(ENQUEUE_MS, 'adding jobs', Promise.all(added)).catch((error: unknown) =>
    events.backgroundError('chat-relay', toError(error)),
  )
}
