import { Agent, type AgentOptions, type RequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { MINUTE } from '../../../lib/units.ts'

/** HTTP/1.1 carries one message per connection at a time. */
const MAX_SOCKETS = 100
/** Shorter than Google's front ends wait: a message on a connection that they are just closing would be lost. */
const IDLE = 2 * MINUTE

type OnConnected = (error: Error | null, socket: Duplex) => void

/** Connections that stay open between messages. */
export class FcmAgent extends Agent {
  readonly #detour: { host: string; port: number } | undefined
  readonly #established = new WeakSet<Duplex>()

  /**
   * @param endpoint `https://host:port` to which all connections go; it must answer under the names of Google's hosts.
   * @param ca PEM of an authority to trust in place of the system's.
   */
  constructor({ endpoint, ca }: { endpoint?: string; ca?: string }) {
    const options: AgentOptions = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE }
    super(ca === undefined ? options : { ...options, ca })
    this.#detour = endpoint === undefined ? undefined : addressOf(endpoint)
  }

  /** Whether the TLS handshake was completed: before that nothing of a request has left. */
  hasEstablished(socket: Duplex): boolean {
    return this.#established.has(socket)
  }

  /** The name that the certificate must bear is already in `options` and stays Google's. */
  override createConnection(options: RequestOptions, onConnected?: OnConnected): Duplex | null | undefined {
    const socket = super.createConnection({ ...options, ...this.#detour }, onConnected)
    socket?.once('secureConnect', () => this.#established.add(socket))
    return socket
  }
}

function addressOf(endpoint: string): { host: string; port: number } {
  const { hostname, port } = new URL(endpoint)
  return { host: hostname, port: Number(port || 443) }
}
