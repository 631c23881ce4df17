import { once } from 'node:events'
import { type ClientOptions, WebSocket } from 'ws'
import { until } from './conditions.ts'

/** One frame of the server, as it came. */
export interface Received {
  type: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into frames that the contract describes
  payload: any
  seq?: number
  cursor?: string
  id?: string | number
}

export type SocketClient = Awaited<ReturnType<typeof connectSocket>>

export interface SocketOptions {
  authorization?: string
  protocols?: string[]
  headers?: Record<string, string>
  path?: string
  client?: ClientOptions
}

/** A client of `/ws` that keeps all it is told. Resolves when the line is open; `ready` may not have come yet. */
export async function connectSocket(
  url: string,
  { authorization, protocols = [], headers, path = '/ws', client }: SocketOptions,
) {
  const ws = new WebSocket(url.replace('http', 'ws') + path, protocols, {
    ...client,
    headers: { ...headers, ...(authorization !== undefined && { authorization }) },
  })
  const frames: Received[] = []
  let closed: { code: number; reason: string } | undefined
  let lastId = 0
  ws.on('message', (data) => void frames.push(JSON.parse(String(data))))
  ws.on('close', (code, reason) => {
    closed = { code, reason: String(reason) }
  })
  await once(ws, 'open')
  ws.on('error', () => undefined)

  const next = (type: string, matches: (frame: Received) => boolean = () => true, timeoutMs?: number) =>
    until(() => frames.find((frame) => frame.type === type && matches(frame)), {
      ...(timeoutMs !== undefined && { timeoutMs }),
      description: `a frame ${type} comes; there are ${JSON.stringify(frames.map(({ type: known }) => known))}, closed: ${JSON.stringify(closed)}`,
    })
  return {
    ws,
    frames,
    next,
    say: (frame: object | string): void => ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    /** Says something, and gives back what is answered. */
    async ask(type: string, payload: object = {}): Promise<Received> {
      lastId += 1
      const id = lastId
      ws.send(JSON.stringify({ type, id, payload }))
      return until(() => frames.find((frame) => frame.id === id), { description: `${type} is answered` })
    },
    ofType: (type: string): Received[] => frames.filter((frame) => frame.type === type),
    /** The numbers of the events that came, in their order. */
    seqs: (): number[] => frames.flatMap(({ seq, cursor }) => (seq !== undefined && cursor ? [seq] : [])),
    /** How it was closed. */
    closed: () => until(() => closed, { description: 'the socket is closed' }),
    isClosed: (): boolean => closed !== undefined,
    async close(): Promise<void> {
      ws.terminate()
      await until(() => closed, { description: 'the socket is closed' })
    },
  }
}

/** How an upgrade was refused. */
export async function refusedSocket(
  url: string,
  { authorization, protocols = [], headers, path = '/ws', client }: SocketOptions,
): Promise<{ status: number; json: { error: string; code: string } }> {
  const ws = new WebSocket(url.replace('http', 'ws') + path, protocols, {
    ...client,
    headers: { ...headers, ...(authorization !== undefined && { authorization }) },
  })
  ws.on('error', () => undefined)
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof refusedSocket>>>()
  ws.on('open', () => reject(new Error('the upgrade was not refused')))
  ws.on('unexpected-response', (_request, response) => {
    let text = ''
    response.on('data', (data) => {
      text += data
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }))
  })
  try {
    return await promise
  } finally {
    ws.terminate()
  }
}
