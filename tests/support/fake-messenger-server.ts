import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { listenOnLoopback } from '../../src/simulators/listen.ts'

export const CONVERSATION = '018f0000-0000-7000-8000-000000000001'

export type FakeMessengerServer = Awaited<ReturnType<typeof startFakeMessengerServer>>

interface FakeMessage {
  id: string
  seq: number
  content: string
}

/** What a phone asks of Wakeline, answered from memory: one person, one conversation, and no WebSocket. */
export async function startFakeMessengerServer() {
  const messages: FakeMessage[] = []
  const events: Record<string, unknown>[] = []
  const requests: string[] = []
  let acknowledged = 0
  let readSeq = 0
  let isSessionGood = true

  const describe = ({ id, seq, content }: FakeMessage) => ({
    ...{ id, conversation_id: CONVERSATION, seq, client_id: id, content, deleted_at: null },
    sender: { user_id: 'u-1002' },
  })
  const badge = () => messages.filter(({ seq }) => seq > readSeq).length
  const note = (type: string, more: Record<string, unknown>) =>
    events.push({ seq: events.length + 1, type, conversation_id: CONVERSATION, ...more })
  const conversation = () => {
    const last = messages.at(-1)
    return {
      ...{ id: CONVERSATION, last_seq: messages.length, last_read_seq: readSeq },
      last_message: last ? describe(last) : null,
    }
  }
  const read = (seq: number) => {
    readSeq = Math.max(readSeq, seq)
    note('message.read', { receipt: { extension: '1001', seq: readSeq } })
  }
  const answer = (method: string, url: URL, body: Record<string, unknown>): unknown => {
    const path = url.pathname.replace('/api/v1/app', '')
    if (path === '/auth') return { token: 'token' }
    if (path === '/devices/register') return { id: 'phone', device_id: body.device_id }
    if (path === '/sync') {
      const since = url.searchParams.get('since')
      const next = String(events.length)
      if (since === null) {
        return { events: [], next, more: false, badge: badge(), reset: true, conversations: [conversation()] }
      }
      acknowledged = Math.max(acknowledged, Number(since))
      return { events: events.slice(Number(since)), next, more: false, badge: badge() }
    }
    if (path.endsWith('/messages')) return { items: messages.map(describe).reverse(), has_more: false }
    if (path.endsWith('/read') && method === 'PUT') read(Number(body.seq))
    return { seq: readSeq, status: 'ok' }
  }

  const server = createServer(async (request, response) => {
    const body = await textOf(request)
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    requests.push(`${request.method} ${url.pathname}`)
    const data = answer(request.method ?? '', url, body === '' ? {} : JSON.parse(body))
    const refusal = { data: null, code: 'unauthenticated', error: 'invalid or expired token' }
    response.writeHead(isSessionGood ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify(isSessionGood ? { data } : refusal))
  })
  const port = await listenOnLoopback(server, 0)
  return {
    url: `http://127.0.0.1:${port}`,
    requests: requests as readonly string[],
    /** How many of the events a phone has acknowledged. */
    get acknowledged() {
      return acknowledged
    },
    get readSeq() {
      return readSeq
    },
    get eventCount() {
      return events.length
    },
    /** Somebody says something. */
    says(content: string): FakeMessage {
      const message = { id: randomUUID(), seq: messages.length + 1, content }
      messages.push(message)
      note('message.created', { message: describe(message) })
      return message
    },
    /** On another phone of the same person. */
    readsElsewhere: read,
    endSession(): void {
      isSessionGood = false
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
