import type { Phone } from '../phone.ts'
import type { Message } from '../types.ts'
import type { Report } from './report.ts'

/** Who takes part in the story, and what has come to be so far. */
export interface World {
  readonly base: string
  readonly report: Report
  readonly alice: Phone
  readonly bob: Phone
  /** One who is not in the conversation, when there is a third account. */
  readonly stranger: Phone | null
  /** When the story began, by this machine's clock. */
  readonly began: string
  conversation: string | null
  /** What was said in it before the story: none of its concern. */
  readonly before: Set<string>
}

export function conversationOf(world: World): string {
  if (world.conversation === null) throw new Error('there is no conversation to do it in')
  return world.conversation
}

/** Those of the story, sorted, for sets to be compared. */
export function told(world: World, messages: readonly Message[]): string[] {
  return ids(messages)
    .filter((id) => !world.before.has(id))
    .sort()
}

export function ids(messages: readonly Message[]): string[] {
  return messages.map(({ id }) => id)
}
