import { setTimeout as delay } from 'node:timers/promises'
import type { ChatPerson } from '../stack/chat-people.ts'
import { createGroupMessages, openSockets } from './chat-sockets.ts'
import { mark } from './marks.ts'
import { watchOwnLoad } from './own-load.ts'
import { summarize } from './summary.ts'

export interface GroupMessages {
  port: number
  people: ChatPerson[]
  size: number
  /** People of each group who talk, each again when everybody has what he said before. */
  talkers: number
  warmUpMs: number
  measureMs: number
}

/** Groups in which people talk over and over. */
export async function groupMessages(settings: GroupMessages) {
  const { port, people, size, talkers, warmUpMs, measureMs } = settings
  const messages = createGroupMessages(size)
  const sockets = await openSockets(port, people, messages.onMessage)
  const lastMs: number[] = []
  let isMeasured = false
  let isOver = false
  const talk = sockets.map(async (socket, i) => {
    const { conversationId = '' } = people[i] ?? {}
    while (i % size < talkers && !isOver) {
      const ms = await messages.say(socket, conversationId)
      if (isMeasured) lastMs.push(ms)
    }
  })
  await delay(warmUpMs)
  await mark('begin')
  isMeasured = true
  const ownLoad = watchOwnLoad()
  const begin = performance.now()
  await delay(measureMs)
  isMeasured = false
  const perSecond = lastMs.length / ((performance.now() - begin) / 1_000)
  const generatorLoad = ownLoad()
  await mark('end')
  isOver = true
  await Promise.all(talk)
  for (const socket of sockets) socket.terminate()
  return { perSecond, lastMs: summarize(lastMs), generatorLoad }
}
