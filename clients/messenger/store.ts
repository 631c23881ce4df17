import type { Message } from './types.ts'

/** The phone's own copy: whatever arrives by whichever way is merged by its id. */
export class MessageStore {
  readonly #messages = new Map<string, Message>()
  /** Where the next sync goes on. */
  cursor: string | null = null

  /** How many were not known before. */
  merge(messages: readonly Message[]): number {
    const before = this.#messages.size
    for (const message of messages) {
      const known = this.#messages.get(message.id)
      this.#messages.set(message.id, known === undefined ? message : newer(known, message))
    }
    return this.#messages.size - before
  }

  delivered(id: string, at: string): void {
    this.#mark(id, (message) => ({ ...message, deliveredAt: message.deliveredAt ?? at }))
  }

  read(id: string, at: string): void {
    this.#mark(id, (message) => ({ ...message, readAt: message.readAt ?? at }))
  }

  get(id: string): Message | undefined {
    return this.#messages.get(id)
  }

  /** Those of a conversation in the order in which they are shown. */
  of(conversationId: string): Message[] {
    return [...this.#messages.values()].filter((m) => m.conversationId === conversationId).sort(inOrder)
  }

  #mark(id: string, change: (message: Message) => Message): void {
    const known = this.#messages.get(id)
    if (known !== undefined) this.#messages.set(id, change(known))
  }
}

/** An older copy that arrives late must not take a tick away again. */
function newer(known: Message, message: Message): Message {
  return {
    ...message,
    deliveredAt: message.deliveredAt ?? known.deliveredAt,
    readAt: message.readAt ?? known.readAt,
  }
}

function inOrder(a: Message, b: Message): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1
  return a.id < b.id ? -1 : 1
}
