import { toError } from '../../lib/error.ts'
import { SECOND } from '../../lib/units.ts'
import { type Frame, FrameMessage, FrameReceipt } from './app-answers.ts'
import { type AppSocket, openAppSocket } from './app-socket.ts'
import { attempt, type MessengerParts } from './messenger-parts.ts'
import type { MessengerSync } from './messenger-sync.ts'

/** Wakeline takes an app for open that has said so within the last 45 s. */
const HEARTBEAT = 30 * SECOND
const FIRST_PAUSE = SECOND / 5
const LONGEST_PAUSE = 5 * SECOND

export type MessengerLive = ReturnType<typeof createMessengerLive>

/** The connection of an app that is open. */
export function createMessengerLive(parts: MessengerParts, sync: MessengerSync) {
  const { memory, network, timeline, onError } = parts
  let heartbeat: NodeJS.Timeout | undefined
  let retry: NodeJS.Timeout | undefined

  const drop = (why: string, how: 'close' | 'goDeaf') => {
    clearInterval(heartbeat)
    clearTimeout(retry)
    if (!memory.socket) return
    memory.socket[how]()
    timeline.note({ did: 'disconnect', why })
  }
  const again = (pause: number) => {
    clearTimeout(retry)
    retry = setTimeout(() => {
      if (memory.isForeground && network.isUp && !memory.socket?.isOpen()) connect('again', pause).catch(fail)
    }, pause)
  }
  const fail = (error: unknown) => onError(toError(error))

  async function connect(why: string, pause = FIRST_PAUSE): Promise<void> {
    memory.socket?.close()
    const nextPause = Math.min(2 * pause, LONGEST_PAUSE)
    const socket = await attempt(parts, 'connect', async ({ token, extension }) => {
      const opened = openAppSocket({
        url: parts.url,
        token,
        onFrame: (frame) => handleFrame(parts, sync, frame, extension),
        onLost: (code) => {
          timeline.note({ did: 'disconnect', why: `the connection ended (${code})` })
          if (memory.isForeground) again(nextPause)
        },
        onError,
      })
      memory.socket = opened
      await opened.ready
      await opened.request('hello', { since: parts.disk.cursor?.value })
      await opened.request('app.state', { state: 'foreground' })
      return opened
    })
    if (!socket) return
    clearInterval(heartbeat)
    heartbeat = setInterval(() => beat(socket), HEARTBEAT).unref()
    timeline.note({ did: 'connect', why })
  }
  return {
    async connect(why: string): Promise<void> {
      if (network.isUp && parts.disk.session) await connect(why)
    },
    /** The app says that nobody looks at it any more; it still listens. */
    async toBackground(): Promise<void> {
      clearInterval(heartbeat)
      const { socket } = memory
      if (socket?.isOpen())
        await attempt(parts, 'background', () => socket.request('app.state', { state: 'background' }))
    },
    disconnect: (why: string) => drop(why, 'close'),
    /** The network has gone, or the process is frozen: nobody tells the server. */
    goDeaf: (why: string) => drop(why, 'goDeaf'),
  }
}

const beat = (socket: AppSocket): void => socket.tell('app.state', { state: 'foreground' })

function handleFrame(parts: MessengerParts, sync: MessengerSync, frame: Frame, extension: string): void {
  const { memory, disk, onError } = parts
  const { type, payload, seq, cursor } = frame
  if (type === 'reset') {
    disk.cursor = undefined
    sync.catchUp('what is missing is too old').catch((error: unknown) => onError(toError(error)))
  }
  if (/^message\.(created|edited|deleted)$/.test(type)) {
    const message = FrameMessage.parse(payload.message)
    sync.merge([message], 'socket')
    if (type === 'message.created' && memory.isForeground && memory.screen === message.conversationId) {
      memory.socket?.tell('message.read', { messageId: message.id })
      noteRead(parts, sync, message)
    }
  }
  if (/^message\.(delivered|read)$/.test(type)) {
    sync.takeReceipt(type, FrameReceipt.parse(payload), extension)
  }
  if (seq === undefined || cursor === undefined) return
  sync.moveCursor(cursor, seq)
  memory.socket?.tell('ack', { seq })
}

/** What comes into the conversation that is on the screen is read at once. */
function noteRead(
  { timeline }: MessengerParts,
  sync: MessengerSync,
  { conversationId, seq }: { conversationId: string; seq: number },
): void {
  sync.wasRead(conversationId, seq)
  timeline.note({ did: 'read', conversationId, seq })
}
