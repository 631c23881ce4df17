import { setTimeout as sleep } from 'node:timers/promises'
import { type Frame, frameFrom } from './frame.ts'
import type { Fields } from './json.ts'

/** The two ways to say who connects which do not write a token into an address, which servers log. */
export type Proof = 'protocol' | 'header'

export interface SocketEvents {
  readonly frame: (frame: Frame) => void
  /** Called at the first connection and at each later one: whatever happened in between has to be fetched. */
  readonly connected: () => void
}

/** A connection that comes back by itself until it is closed. */
export class LiveSocket {
  readonly #url: string
  readonly #token: string | null
  readonly #proof: Proof
  readonly #events: SocketEvents
  #socket: WebSocket | null = null
  #wanted = false

  constructor(base: string, token: string | null, proof: Proof, events: SocketEvents) {
    this.#url = new URL('/ws', base).href.replace(/^http/, 'ws')
    this.#token = token
    this.#proof = proof
    this.#events = events
  }

  /** The first connection: fails when the service does not take it. */
  async open(): Promise<void> {
    this.#wanted = true
    await this.#connect()
  }

  async close(): Promise<void> {
    this.#wanted = false
    await this.cut()
  }

  /** Ends the connection as if the network had: the socket comes back, unlike after close(). */
  async cut(): Promise<void> {
    const socket = this.#socket
    if (socket === null) return
    const closed = new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }))
    socket.close()
    await closed
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  send(type: string, fields: Fields): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Error(`not connected, ${type} cannot be sent`)
    this.#socket.send(JSON.stringify({ type, ...fields }))
  }

  async #connect(): Promise<void> {
    const socket = new WebSocket(this.#url, this.#how())
    socket.addEventListener('message', ({ data }) => {
      const frame = typeof data === 'string' ? frameFrom(data) : null
      if (frame !== null) this.#events.frame(frame)
    })
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true })
      socket.addEventListener('close', ({ code }) => reject(new Error(`refused (${code})`)), { once: true })
    })
    this.#socket = socket
    socket.addEventListener('close', () => this.#lost(), { once: true })
    this.#events.connected()
  }

  #how(): { protocols?: string[]; headers?: Record<string, string> } {
    if (this.#token === null) return {}
    if (this.#proof === 'protocol') return { protocols: ['bearer', this.#token] }
    return { headers: { authorization: `Bearer ${this.#token}` } }
  }

  #lost(): void {
    this.#socket = null
    if (this.#wanted) void this.#comeBack()
  }

  /** Waits longer from try to try, and never the same: all clients of a service that restarts come back at once else. */
  async #comeBack(): Promise<void> {
    for (let wait = 250; this.#wanted; wait = Math.min(wait * 2, 10_000)) {
      await sleep(wait * (0.5 + Math.random()))
      if (!this.#wanted) return
      const back = await this.#connect().then(
        () => true,
        () => false,
      )
      if (back) return
    }
  }
}
