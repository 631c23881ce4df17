import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'

/** The TLS connections below the HTTP/2 sessions to one endpoint. */
export interface ApnsSockets {
  /** For `http2.connect`. */
  open(): TLSSocket
  /** Ends them all, without waiting for the other side. */
  destroy(): Promise<void>
}

/**
 * node:http2 ends a closed session by half-closing its socket, and then waits for the other side for ever. Here it has
 * `lingerMs` for that.
 * @param endpoint `https://host:port`. @param ca PEM of an authority to trust in place of the system's.
 */
export function createApnsSockets(endpoint: string, ca: string | undefined, lingerMs: number): ApnsSockets {
  const { hostname: host, port } = new URL(endpoint)
  const options = {
    host,
    port: Number(port || 443),
    ALPNProtocols: ['h2'],
    // RFC 6066 section 3 allows no addresses as server names.
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca }),
  }
  const sockets = new Set<TLSSocket>()
  return {
    open() {
      const socket = connect(options)
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      // The session above reports it; when that has gone first, nobody is left who could use it.
      socket.on('error', () => undefined)
      socket.once('finish', () => socket.setTimeout(lingerMs, () => socket.destroy()))
      return socket
    },
    async destroy() {
      await Promise.all([...sockets].map(destroy))
    },
  }
}

function destroy(socket: TLSSocket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('close', () => resolve())
  socket.destroy()
  return promise
}
