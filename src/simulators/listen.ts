import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { hasCode } from './has-code.ts'

/** Binds to 127.0.0.1 and nothing else. @param port 0 takes a free one. @returns The port that was bound. */
export async function listenOnLoopback(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) {
      throw new Error(`port ${port} on 127.0.0.1 is already taken`, { cause: error })
    }
    throw error
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server is bound to no port')
  return address.port
}

/**
 * Watches the TCP connections of a server, those in the middle of a TLS handshake too.
 * @returns Ends the server and, at once, all of them.
 */
export function createStop(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  return async () => {
    if (!server.listening) return
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    for (const socket of sockets) socket.destroy()
    await promise
  }
}
