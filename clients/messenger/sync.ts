import type { Api } from './api.ts'
import { pageBack } from './history.ts'
import { patiently } from './patience.ts'
import type { MessageStore } from './store.ts'
import type { Message } from './types.ts'

/**
 * Fetches all since a cursor or a time into the store; answers what came, with repeats. Goes on until there is nothing new:
 * asking once more with the last cursor also tells the service that all before it has arrived.
 */
export async function catchUp(api: Api, store: MessageStore, since: string): Promise<Message[]> {
  const came: Message[] = []
  let from = since
  for (let pages = 0; pages < 1000; pages++) {
    const page = await patiently(() => api.sync(from))
    if (page.reset) store.merge(await everything(api))
    store.merge(page.messages)
    came.push(...page.messages)
    // Only now: were the cursor kept before its messages, an end of the app in between would lose them.
    store.cursor = page.nextCursor
    if (page.messages.length === 0 && page.more !== true) return came
    from = page.nextCursor
  }
  throw new Error('the sync does not come to an end')
}

/** When the service no longer knows what happened since, all is loaded anew. */
async function everything(api: Api): Promise<Message[]> {
  const all: Message[] = []
  for (const { id } of await patiently(() => api.conversations())) all.push(...(await pageBack(api, id, 200)))
  return all
}
