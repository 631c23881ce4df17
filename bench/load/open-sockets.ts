import type { ChatPerson } from '../stack/chat-people.ts'
import { createGroupMessages, openSockets as open } from './chat-sockets.ts'
import { mark } from './marks.ts'
import { watchOwnLoad } from './own-load.ts'
import { summarize } from './summary.ts'

export interface OpenSockets {
  port: number
  people: ChatPerson[]
  size: number
}

/** Opens them all; then somebody of each group says something, all at the same moment. */
export async function openSockets({ port, people, size }: OpenSockets) {
  const messages = createGroupMessages(size)
  await mark('before')
  const begin = performance.now()
  const sockets = await open(port, people, messages.onMessage)
  const openedMs = performance.now() - begin
  await mark('opened')
  const ownLoad = watchOwnLoad()
  const said = sockets.flatMap((socket, i) => {
    const { conversationId = '' } = people[i] ?? {}
    return i % size === 0 ? [messages.say(socket, conversationId)] : []
  })
  const lastMs = await Promise.all(said)
  const generatorLoad = ownLoad()
  for (const socket of sockets) socket.terminate()
  return { openedMs, toldMs: summarize(lastMs), generatorLoad }
}
