import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { StartError } from '../lib/start-error.ts'
import { SECOND } from '../lib/units.ts'

export interface HttpServer {
  /** `http://host:port` as it was bound. */
  url: string
  /** Takes no new connections, lets requests in hand end for at most `ms`, then closes what is left. */
  close(ms: number): Promise<void>
}

/** Takes a connection over that is to become a WebSocket, or refuses it by itself. `head` is what came after the request. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

interface ListenOptions {
  host: string
  port: number
  /** Named by the sentence of a StartError. */
  portVariable: string
  /** Without it, who asks for a WebSocket is answered as anybody else. */
  upgrade?: Upgrade
}

/** Listens. Rejects with StartError when the port is taken or not allowed. */
export async function listen(
  handler: RequestListener,
  { host, port, portVariable, upgrade }: ListenOptions,
): Promise<HttpServer> {
  // Other protocols that a client would like better (curl offers HTTP/2 so) are no reason to refuse what it asks for.
  const server = createServer({ shouldUpgradeCallback: upgrade ? isForWebSocket : () => false }, handler)
  if (upgrade) server.on('upgrade', upgrade)
  const answering = new Set<ServerResponse>()
  server.on('request', (_request, response: ServerResponse) => {
    answering.add(response)
    response.once('close', () => answering.delete(response))
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // A client that sends its request slowly must not keep a socket for long; holds answer within 30 s.
  server.headersTimeout = 10 * SECOND
  server.requestTimeout = 15 * SECOND
  // Longer than the idle time of common proxies (60 s), so that they and not we end a connection.
  server.keepAliveTimeout = 65 * SECOND
  server.maxHeadersCount = 100
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, host, port, portVariable)))
    server.listen(port, host, resolve)
  })
  const { address, port: bound } = server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${bound}`,
    close: (ms) => closeWithin(server, { answering, sockets }, ms),
  }
}

const isForWebSocket = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket'

function explain(error: NodeJS.ErrnoException, host: string, port: number, variable: string): Error {
  if (error.code === 'EADDRINUSE') {
    return new StartError(
      `port ${port} on ${host} is taken by another program; choose another one with ${variable}`,
    )
  }
  if (error.code === 'EACCES')
    return new StartError(`port ${port} needs root; choose one above 1023 with ${variable}`)
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new StartError(
      `${host} is no address of this machine; it comes from ${variable.replace('PORT', 'HOST')}`,
    )
  }
  return error
}

async function closeWithin(
  server: Server,
  { answering, sockets }: { answering: ReadonlySet<ServerResponse>; sockets: ReadonlySet<Socket> },
  ms: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // A client that keeps its connection is told with its answer that it ends. Node would leave it open for the next request,
  // wait for that until the time is up, and then cut off whatever is under way.
  for (const response of answering) endConnection(response)
  server.prependListener('request', (_request, response: ServerResponse) => endConnection(response))
  server.closeIdleConnections()
  // Browsers and pools connect ahead; Node counts such a connection as busy until its first request.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  // Node does not count among its connections what has become a WebSocket.
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy()
  }, ms)
  await closed
  clearTimeout(timer)
}

function endConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close')
}
