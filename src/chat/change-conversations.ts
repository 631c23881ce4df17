import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { type ChatCaller, MAX_PARTICIPANTS } from './chat.ts'
import type { ChatNewsBus } from './chat-news.ts'
import type { ChatUserStore } from './chat-user-store.ts'
import type { ConversationListStore, ConversationView } from './conversation-list-store.ts'
import type { ConversationStore, OwnSettings } from './conversation-store.ts'
import type { ToldEvent } from './user-event-store.ts'

export interface ChangeConversationsDeps {
  conversations: ConversationStore
  conversationList: ConversationListStore
  chatUsers: ChatUserStore
  chatNews: ChatNewsBus
  clock: Clock
}

/** Extensions by their numbers, and where each of them stands in the request. */
export interface Named {
  numbers: readonly string[]
  fieldOf(index: number): string
}
export const namedIn = (field: string, number: string): Named => ({ numbers: [number], fieldOf: () => field })
export const listedIn = (field: string, numbers: readonly string[]): Named => ({
  numbers,
  fieldOf: (index) => `${field}.${index}`,
})

/**
 * Who may change what of a conversation. Everything throws `unknown_conversation` to whoever is not in it, and tells the others when it
 * is done.
 */
export function createChangeConversations(deps: ChangeConversationsDeps) {
  const { conversations, conversationList, chatNews, clock } = deps
  const now = () => new Date(clock.now())
  const tell = ({ tenantId }: ChatCaller, events: readonly ToldEvent[]) =>
    void chatNews.tellEvents(tenantId, events)
  const known = createNames(deps)
  const { membership, mustBeGroup, mustOwn, stillMay } = createRights(deps)

  const takenOut = (caller: ChatCaller, events: readonly ToldEvent[]) => {
    tell(caller, events)
    void chatNews.nudge()
  }

  return {
    membership,

    async view(caller: ChatCaller, id: string): Promise<ConversationView> {
      const { conversations: found } = await conversationList.list(caller, { limit: 1, id })
      const [view] = found
      if (!view) throw new Problem('unknown_conversation')
      return view
    },

    async openDirect(caller: ChatCaller, named: Named): Promise<{ id: string; isNew: boolean }> {
      const [otherId = caller.extensionId] = await known.idsOf(caller, named)
      const { result, events } = await conversations.openDirect(caller, otherId, now())
      tell(caller, events)
      return result
    },

    async createGroup(caller: ChatCaller, groupTitle: string, named: Named): Promise<string> {
      const memberIds = await known.idsOf(caller, named)
      if (new Set([caller.extensionId, ...memberIds]).size > MAX_PARTICIPANTS) {
        throw new Problem('conversation_full')
      }
      const { result, events } = await conversations.createGroup(
        caller,
        { title: groupTitle, memberIds },
        now(),
      )
      tell(caller, events)
      return result
    },

    async rename(caller: ChatCaller, id: string, groupTitle: string): Promise<void> {
      await mustOwn(caller, id)
      tell(caller, await stillMay(caller, id, conversations.rename(caller, id, groupTitle, now())))
    },

    async setOwn(caller: ChatCaller, id: string, settings: OwnSettings): Promise<void> {
      await membership(caller, id)
      tell(caller, await conversations.setOwn(caller, id, settings, now()))
    },

    async add(caller: ChatCaller, id: string, named: Named): Promise<void> {
      await mustOwn(caller, id)
      const memberIds = await known.idsOf(caller, named)
      const room = { now: now(), most: MAX_PARTICIPANTS }
      const events = await stillMay(caller, id, conversations.add(caller, id, memberIds, room))
      if (events === 'full') throw new Problem('conversation_full')
      tell(caller, events)
    },

    async remove(caller: ChatCaller, id: string, number: string): Promise<void> {
      await mustOwn(caller, id)
      const [memberId = 0] = await known.idsOf(caller, namedIn('extension', number))
      const events = await stillMay(caller, id, conversations.remove(caller, id, memberId, now()))
      if (events === 'absent') throw new Problem('unknown_extension', { field: 'extension' })
      takenOut(caller, events)
    },

    async leave(caller: ChatCaller, id: string): Promise<void> {
      await mustBeGroup(caller, id)
      const events = await conversations.remove(caller, id, caller.extensionId, now())
      if (!events || events === 'absent') throw new Problem('unknown_conversation')
      takenOut(caller, events)
    },
  }
}
export type ChangeConversations = ReturnType<typeof createChangeConversations>

function createRights({ conversations }: Pick<ChangeConversationsDeps, 'conversations'>) {
  const membership = async (caller: ChatCaller, id: string) => {
    const found = await conversations.find(caller, id)
    if (!found) throw new Problem('unknown_conversation')
    return found
  }
  const mustBeGroup = async (caller: ChatCaller, id: string) => {
    const { kind, role } = await membership(caller, id)
    if (kind === 'direct') throw new Problem('conversation_direct')
    return role
  }
  const mustOwn = async (caller: ChatCaller, id: string): Promise<void> => {
    if ((await mustBeGroup(caller, id)) !== 'owner') throw new Problem('not_the_owner')
  }
  return {
    membership,
    mustBeGroup,
    mustOwn,

    /** Whoever stopped being the owner while he was at it is told why, as if he had asked a moment later. */
    async stillMay<Done>(caller: ChatCaller, id: string, done: Promise<Done | undefined>): Promise<Done> {
      const result = await done
      if (result !== undefined) return result
      await mustOwn(caller, id)
      throw new Problem('unknown_conversation')
    },
  }
}

const createNames = ({ chatUsers }: Pick<ChangeConversationsDeps, 'chatUsers'>) => ({
  /** Each once, in their order. The first that the tenant does not have is told by its place. */
  async idsOf({ tenantId }: ChatCaller, { numbers, fieldOf }: Named): Promise<number[]> {
    const ids = await chatUsers.idsOf(tenantId, { numbers })
    const found = numbers.map((number, index) => {
      const id = ids.get(number)
      if (id === undefined) throw new Problem('unknown_extension', { field: fieldOf(index) })
      return id
    })
    return [...new Set(found)]
  },
})
