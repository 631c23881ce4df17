import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { ChatPerson } from '../stack/chat-people.ts'

/** Fewer than an address may have open without having shown who it is. */
const AT_ONCE = 100

/** What came to a socket, when it is a message. */
export type OnMessage = (clientId: string, at: number) => void

/** A socket for each, in batches. Resolves when each has heard that it may begin. */
export async function openSockets(
  port: number,
  people: readonly ChatPerson[],
  onMessage: OnMessage,
): Promise<WebSocket[]> {
  const sockets: WebSocket[] = []
  for (let from = 0; from < people.length; from += AT_ONCE) {
    const opened = people.slice(from, from + AT_ONCE).map(({ token }) => open(port, token, onMessage))
    sockets.push(...(await Promise.all(opened)))
  }
  return sockets
}

async function open(port: number, token: string, onMessage: OnMessage): Promise<WebSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  })
  const [ready] = (await once(ws, 'message')) as [Buffer]
  if (!ready.includes('"ready"')) throw new Error(`the first frame was ${ready}`)
  ws.on('message', (data: Buffer) => {
    if (!data.includes(CREATED)) return
    // Parsing all of it would make the generator slower than what it measures.
    const at = data.indexOf(CLIENT_ID) + CLIENT_ID.length
    onMessage(data.toString('latin1', at, data.indexOf('"', at)), performance.now())
  })
  ws.send('{"type":"hello"}')
  return ws
}

const CREATED = '{"type":"message.created"'
const CLIENT_ID = '"clientId":"'

/** Who says something, and when it has come to everybody. */
export function createGroupMessages(size: number) {
  const waiting = new Map<string, { left: number; resolve: (at: number) => void }>()
  let last = 0
  return {
    onMessage(clientId: string, at: number): void {
      const message = waiting.get(clientId)
      if (!message) return
      message.left -= 1
      if (message.left > 0) return
      waiting.delete(clientId)
      message.resolve(at)
    },

    /** Milliseconds until the last of the group has it. */
    async say(socket: WebSocket, conversationId: string): Promise<number> {
      last += 1
      const clientId = `c${last}`
      const { promise, resolve } = Promise.withResolvers<number>()
      waiting.set(clientId, { left: size, resolve })
      const begin = performance.now()
      socket.send(
        JSON.stringify({
          type: 'message.send',
          payload: { conversationId, clientId, content: 'Are you coming?' },
        }),
      )
      return (await promise) - begin
    },
  }
}
