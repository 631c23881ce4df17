import { randomUUID } from 'node:crypto'
import type { LocalMessage } from './app-answers.ts'
import { createMessengerLive } from './messenger-live.ts'
import { attempt, forget, type MessengerParts } from './messenger-parts.ts'
import { createMessengerSync } from './messenger-sync.ts'

export type Messenger = ReturnType<typeof createMessenger>

/** The app itself, on whichever system: what it does when it is started, opened, woken, tapped and left. */
export function createMessenger(parts: MessengerParts) {
  const { memory, network, onError } = parts
  const sync = createMessengerSync(parts)
  const live = createMessengerLive(parts, sync)
  const screen = createScreen(parts, sync.catchUp, sync)

  /** The person looks at the app. */
  async function enter(why: string): Promise<void> {
    memory.isForeground = true
    await sync.catchUp(why)
    if (memory.screen !== undefined) await screen.show(memory.screen)
    await live.connect(why)
  }
  network.onChange((isUp) => {
    if (!isUp) live.goDeaf('the network is gone')
    else if (memory.isForeground) enter('the network is back').catch(onError)
  })

  return {
    ...createSessions(parts, enter),
    enter,
    catchUp: sync.catchUp,
    show: screen.show,
    send: screen.send,
    converse: screen.converse,
    /** Back to the list of conversations. */
    showList(): void {
      memory.screen = undefined
    },
    async leave(): Promise<void> {
      memory.isForeground = false
      await live.toBackground()
    },
    /** @param leavingSocketOpen The app does not close its connection in time; the server takes it for alive. */
    freeze(leavingSocketOpen: boolean): void {
      if (leavingSocketOpen) live.goDeaf('the app is suspended')
      else live.disconnect('the app is suspended')
    },
    /** The connection is dead, and neither the app nor the server has noticed. */
    loseConnection: () => live.goDeaf('the connection is dead'),
    /** The process ends, and all that was in its memory. */
    die(): void {
      live.disconnect('the app has ended')
      memory.isForeground = false
      memory.screen = undefined
      memory.socket = undefined
    },
    /** The text of a message that a push did not say, for whoever shows it. */
    fetchText: (conversationId: string, messageId: string, signal: AbortSignal) =>
      attempt(parts, 'fetch the text', async ({ token }) => {
        sync.merge((await parts.api.page(token, conversationId, signal)).items, 'extension')
        return parts.store.get(messageId)
      }),
  }
}

/** Logging in and out, and what Wakeline knows of the phone. */
function createSessions(parts: MessengerParts, enter: (why: string) => Promise<void>) {
  const { api, disk, phone, timeline } = parts
  return {
    /** @throws when Wakeline refuses, or does not answer. */
    async logIn(extension: string, password: string): Promise<void> {
      forget(parts, 'logged out')
      const token = await api.logIn(extension, password, phone.deviceId)
      const { id, device_id } = await api.register(token, phone)
      // Somebody else's phone until now may be known by another name from here on.
      phone.deviceId = device_id
      disk.session = { token, extension, phoneId: id }
      timeline.note({ did: 'session', extension, change: 'logged in' })
      await enter('logged in')
    },
    /** Apple or Google gave the phone another token; the app tells Wakeline, as it does at every start. */
    async changeToken(token: string): Promise<void> {
      phone.token = token
      await attempt(parts, 'register', (session) => api.register(session.token, phone))
    },
    /** Takes the phone out of Wakeline, and everything of the person off the phone. */
    async logOut(): Promise<void> {
      await attempt(parts, 'log out', ({ token, phoneId }) => api.unregister(token, phoneId))
      forget(parts, 'logged out')
    },
  }
}

interface Merging {
  merge(messages: readonly LocalMessage[], via: 'page' | 'sent'): void
  wasRead(conversationId: string, seq: number): void
}

/** Conversations as the person sees them. */
function createScreen(parts: MessengerParts, catchUp: (why: string) => Promise<boolean>, sync: Merging) {
  const { api, center, disk, memory, store, timeline } = parts
  return {
    /** Opens a conversation with its newest messages: what is there, if there is no way to fetch them. */
    async show(conversationId: string): Promise<void> {
      memory.screen = conversationId
      const page = await attempt(parts, 'fetch the page', ({ token }) => api.page(token, conversationId))
      if (page) sync.merge(page.items, 'page')
      const messages = store.of(conversationId)
      const readSeq = disk.readSeq.get(conversationId) ?? 0
      const fresh = messages.filter(({ seq }) => seq > readSeq)
      timeline.note({ did: 'open', conversationId, messageIds: idsOf(messages), fresh: idsOf(fresh) })
      const last = messages.at(-1)
      if (!last || fresh.length === 0) return
      center.takeBack(conversationId)
      const isRead = await attempt(parts, 'read', async ({ token }) => {
        await api.read(token, conversationId, last.seq)
        return true
      })
      if (!isRead) return
      sync.wasRead(conversationId, last.seq)
      timeline.note({ did: 'read', conversationId, seq: last.seq })
      await catchUp('the number on the icon')
    },
    /** @param clientId The same one sends the same message once more, for whoever did not hear whether it arrived. */
    async send(
      conversationId: string,
      content: string,
      clientId: string = randomUUID(),
    ): Promise<LocalMessage | undefined> {
      timeline.note({ did: 'send', conversationId, clientId })
      const message = await attempt(parts, 'send', ({ token }) =>
        api.send(token, conversationId, clientId, content),
      )
      if (!message) return undefined
      sync.merge([message], 'sent')
      sync.wasRead(conversationId, message.seq)
      return message
    },
    /** The conversation with somebody, made if there is none. */
    converse: (extension: string) =>
      attempt(parts, 'converse', ({ token }) => api.converse(token, extension)),
  }
}

const idsOf = (messages: readonly LocalMessage[]): string[] => messages.map(({ id }) => id)
