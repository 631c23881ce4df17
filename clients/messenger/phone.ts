import { randomUUID } from 'node:crypto'
import { Api } from './api.ts'
import { type Frame, messageIn } from './frame.ts'
import { FrameLog } from './frame-log.ts'
import { LiveSocket, type Proof } from './socket.ts'
import { MessageStore } from './store.ts'
import { catchUp } from './sync.ts'
import type { Draft, Me, Message } from './types.ts'

export interface Account {
  readonly username: string
  readonly password: string
}

/** One account on one phone: its requests, its connection and its copy of the messages. */
export class Phone {
  readonly account: Account
  readonly api: Api
  readonly log = new FrameLog()
  store = new MessageStore()
  #me: Me | null = null
  #socket: LiveSocket | null = null
  #sync: Promise<unknown> = Promise.resolve()

  constructor(base: string, account: Account) {
    this.account = account
    this.api = new Api(base)
  }

  get me(): Me {
    if (this.#me === null) throw new Error(`${this.account.username} is not logged in`)
    return this.#me
  }

  get socket(): LiveSocket {
    if (this.#socket === null) throw new Error(`${this.account.username} was never connected`)
    return this.#socket
  }

  async login(): Promise<void> {
    await this.api.login(this.account.username, this.account.password)
    this.#me = await this.api.me()
  }

  async goOnline(proof: Proof): Promise<void> {
    this.#socket = new LiveSocket(this.api.http.base, this.api.http.token, proof, {
      frame: (frame) => this.#hear(frame),
      connected: () => {
        this.#sync = this.#fetchMissed()
        // Whoever asks whether all has settled hears of it; nobody asking must not end the process.
        this.#sync.catch(() => {})
      },
    })
    await this.#socket.open()
    await this.#sync
  }

  async goOffline(): Promise<void> {
    await this.#socket?.close()
  }

  /** All the phone does after a connection, done. */
  async settled(): Promise<void> {
    await this.#sync
  }

  draft(conversationId: string, content: string): Draft {
    return { conversationId, content, kind: 'text', clientId: randomUUID() }
  }

  /** Sends over the WebSocket, and waits for the message to come back with its id. */
  async sendLive(draft: Draft): Promise<Message> {
    const place = this.log.end
    this.socket.send('message.send', { ...draft })
    const frame = await this.log.wait(
      `message.created of clientId ${draft.clientId} to its sender`,
      place,
      (frame) => messageIn(frame)?.clientId === draft.clientId,
    )
    const message = messageIn(frame)
    if (message === null) throw new Error('a message.created without a message')
    return message
  }

  read(messageId: string): void {
    this.socket.send('message.read', { messageId })
  }

  async #fetchMissed(): Promise<void> {
    if (this.store.cursor !== null) await catchUp(this.api, this.store, this.store.cursor)
  }

  #hear(frame: Frame): void {
    const message = messageIn(frame)
    if (message !== null) {
      this.store.merge([message])
      if (message.senderId !== this.me.id) this.socket.send('message.delivered', { messageId: message.id })
    }
    const { messageId } = frame.fields
    if (typeof messageId === 'string') {
      if (frame.type === 'message.delivered') this.store.delivered(messageId, new Date().toISOString())
      if (frame.type === 'message.read') this.store.read(messageId, new Date().toISOString())
    }
    this.log.add(frame)
  }
}
