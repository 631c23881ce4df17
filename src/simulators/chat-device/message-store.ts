import type { LocalMessage } from './app-answers.ts'

export type MessageStore = ReturnType<typeof createMessageStore>

/** The messages that a phone has, however often and in whichever order they come. */
export function createMessageStore() {
  const byId = new Map<string, LocalMessage>()
  let duplicates = 0
  return {
    /** @returns Those that were not there yet, in the order in which they were given. */
    merge(messages: readonly LocalMessage[]): LocalMessage[] {
      return messages.filter((message) => {
        const isNew = !byId.has(message.id)
        if (!isNew) duplicates += 1
        // What comes later is as it is now: edited, or deleted.
        byId.set(message.id, message)
        return isNew
      })
    },
    has: (id: string): boolean => byId.has(id),
    get: (id: string): LocalMessage | undefined => byId.get(id),
    /** Of one conversation, in its order. */
    of: (conversationId: string): LocalMessage[] =>
      [...byId.values()]
        .filter((message) => message.conversationId === conversationId)
        .sort((a, b) => a.seq - b.seq),
    get size() {
      return byId.size
    },
    /** How many came that were there already. */
    get duplicates() {
      return duplicates
    },
    wipe(): void {
      byId.clear()
    },
  }
}
