import { TimedOut, within } from '../../lib/deadline.ts'
import { toError } from '../../lib/error.ts'
import { SECOND } from '../../lib/units.ts'
import { Frame } from './app-answers.ts'
import { NetworkFailure } from './phone-network.ts'

const PATIENCE = 10 * SECOND

export interface AppSocketOptions {
  /** `http://host:port` of Wakeline. */
  url: string
  token: string
  onFrame(frame: Frame): void
  /** The connection has ended, and not because the app wanted it. */
  onLost(code: number): void
  onError(error: Error): void
}

export interface AppSocket {
  /** Resolves with the first frame; rejects when there is none. */
  ready: Promise<void>
  isOpen(): boolean
  /** Sends a frame and waits for the answer to it. */
  request(type: string, payload: Record<string, unknown>): Promise<Frame>
  /** Sends a frame to which nobody waits for an answer. */
  tell(type: string, payload: Record<string, unknown>): void
  /** The app hears and says nothing any more, and the connection stays as it is: so it is with a process that is frozen. */
  goDeaf(): void
  close(): void
}

interface Waiting {
  resolve(frame: Frame): void
  reject(error: Error): void
}

/** The WebSocket of the app. */
export function openAppSocket(options: AppSocketOptions): AppSocket {
  const { url, token, onFrame, onLost, onError } = options
  const socket = new WebSocket(new URL('/ws', url.replace(/^http/, 'ws')), ['bearer', token])
  const waiting = new Map<unknown, Waiting>()
  const ready = Promise.withResolvers<void>()
  let [isDeaf, isOver, asked] = [false, false, 0]
  // Whoever opened it waits for it, or has lost interest.
  ready.promise.catch(() => undefined)

  const end = (code: number) => {
    if (isOver) return
    isOver = true
    const lost = new NetworkFailure('the connection ended')
    ready.reject(lost)
    for (const { reject } of waiting.values()) reject(lost)
    if (!isDeaf) onLost(code)
  }
  const hear = (data: unknown) => {
    if (isDeaf) return
    const frame = Frame.parse(JSON.parse(String(data)))
    if (frame.type === 'ready') ready.resolve()
    const answered = waiting.get(frame.id)
    if (frame.id !== undefined && answered) {
      waiting.delete(frame.id)
      if (frame.type === 'error') answered.reject(new NetworkFailure(String(frame.payload.code)))
      else answered.resolve(frame)
    } else onFrame(frame)
  }
  socket.addEventListener('message', ({ data }) => {
    try {
      hear(data)
    } catch (error) {
      onError(toError(error))
    }
  })
  socket.addEventListener('close', ({ code }) => end(code))
  socket.addEventListener('error', () => end(0))
  const send = (frame: Record<string, unknown>) => {
    if (!isDeaf && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
  }

  return {
    ready: inTime(ready.promise),
    isOpen: () => !isDeaf && !isOver && socket.readyState === WebSocket.OPEN,
    tell: (type, payload) => send({ type, payload }),
    request(type, payload) {
      asked += 1
      const id = `a${asked}`
      const { promise, resolve, reject } = Promise.withResolvers<Frame>()
      waiting.set(id, { resolve, reject })
      if (isOver) reject(new NetworkFailure('the connection has ended'))
      send({ type, id, payload })
      return inTime(promise)
    },
    goDeaf() {
      isDeaf = true
    },
    close() {
      isDeaf = true
      socket.close()
    },
  }
}

/** A server that says nothing is as good as none. */
const inTime = <T>(work: Promise<T>): Promise<T> =>
  within(PATIENCE, 'an answer', work).catch((error: unknown) => {
    if (error instanceof TimedOut) throw new NetworkFailure('nobody answered')
    throw error
  })
