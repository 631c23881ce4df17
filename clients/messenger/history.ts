import type { Api } from './api.ts'
import { patiently } from './patience.ts'
import type { Message } from './types.ts'

/** Pages back until nothing is older, as one who scrolls up does; what came twice is in there twice. */
export async function pageBack(api: Api, conversationId: string, limit: number): Promise<Message[]> {
  const found: Message[] = []
  let before: string | undefined
  for (let pages = 0; pages < 1000; pages++) {
    const page = await patiently(() => api.messages(conversationId, limit, before))
    if (page.length > limit) throw new Error(`${page.length} messages in a page of at most ${limit}`)
    if (page.length === 0) return found
    found.push(...page)
    // The order within a page is the service's affair: whichever is the oldest, the next page is before it.
    before = page.reduce((oldest, message) =>
      message.createdAt < oldest.createdAt ? message : oldest,
    ).createdAt
  }
  throw new Error('paging back does not come to an end')
}
