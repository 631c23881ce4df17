import type { Clock } from '../../lib/clock.ts'
import { SECOND } from '../../lib/units.ts'
import { userIdOf } from '../chat.ts'
import type { ChatNews, ChatNewsBus } from '../chat-news.ts'
import type { ConversationListStore } from '../conversation-list-store.ts'
import type { Connection } from './connection.ts'
import { frame } from './server-frames.ts'

/** The same is not said again before. */
const EVERY_MS = 2 * SECOND
/** Who has left a group is seen typing by it no longer than this. */
const MEMBERS_MS = 5 * SECOND
/** Groups that are remembered; of each socket, conversations in which somebody typed of late. */
const MOST_KNOWN = 1_000
const MOST_CONVERSATIONS = 20

/** Tells the others of a conversation that somebody types. */
export function createTyping({
  conversationList,
  chatNews,
  clock,
}: {
  conversationList: Pick<ConversationListStore, 'members'>
  chatNews: Pick<ChatNewsBus, 'tell'>
  clock: Clock
}) {
  const known = new Map<string, { at: number; members: readonly number[] }>()

  /** Empty for who is not in it himself. */
  const membersOf = async (
    holder: Connection['holder'],
    conversationId: string,
  ): Promise<readonly number[]> => {
    const now = clock.monotonic()
    const entry = known.get(conversationId)
    if (entry && now - entry.at < MEMBERS_MS && entry.members.includes(holder.extensionId)) {
      return entry.members
    }
    const members = await conversationList.members(holder, conversationId)
    if (members.length > 0) keepLast(known, conversationId, { at: now, members }, MOST_KNOWN)
    return members
  }

  /** Whether it is said: at most once in a while, and that it is over at once. */
  const isDue = (connection: Connection, conversationId: string, isTyping: boolean): boolean => {
    connection.typing ??= new Map()
    const last = connection.typing.get(conversationId)
    const now = clock.monotonic()
    if (last && now - last.at < EVERY_MS && (isTyping || !last.isTyping)) return false
    // The end of it does not begin a new while: or one could go on and off as fast as one likes.
    const at = last && now - last.at < EVERY_MS ? last.at : now
    keepLast(connection.typing, conversationId, { at, isTyping }, MOST_CONVERSATIONS)
    return true
  }

  /** False: he has no such conversation. */
  return async function tell(
    connection: Connection,
    { conversationId, isTyping }: { conversationId: string; isTyping: boolean },
  ): Promise<boolean> {
    if (!isDue(connection, conversationId, isTyping)) return true
    const { holder } = connection
    const members = await membersOf(holder, conversationId)
    const to = members.filter((id) => id !== holder.extensionId)
    const { tenantId, extensionId, extension: number } = holder
    if (to.length > 0)
      await chatNews.tell(tenantId, { typing: { conversationId, extensionId, number, isTyping, to } })
    return members.length > 0
  }
}
export type TellTyping = ReturnType<typeof createTyping>

export const typingFrame = (
  tenantId: string,
  { conversationId, extensionId, number, isTyping }: NonNullable<ChatNews['typing']>,
): string =>
  frame('typing', { conversationId, userId: userIdOf(tenantId, extensionId), extension: number, isTyping })

/** Puts it last, and forgets the first when there are too many. */
function keepLast<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, most: number): void {
  map.delete(key)
  map.set(key, value)
  const [first] = map.keys()
  if (map.size > most && first !== undefined) map.delete(first)
}
