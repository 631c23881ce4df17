import type { Clock } from '../../lib/clock.ts'
import type { Metrics } from '../../observability/metrics.ts'
import { CLOSE, type CloseCode } from './close-codes.ts'
import type { Connection } from './connection.ts'
import type { RealtimeSettings } from './realtime-settings.ts'
import { frame } from './server-frames.ts'

export interface SocketWriterDeps {
  settings: RealtimeSettings
  clock: Clock
  metrics: Pick<Metrics, 'framesSent' | 'eventsSent' | 'socketsClosed'>
}

/** All that goes out. What a client does not take is not piled up here: the database has it. */
export function createSocketWriter({ settings, clock, metrics }: SocketWriterDeps) {
  const close = (connection: Connection, code: CloseCode, reason: string): void => {
    if (!connection.isOpen) return
    connection.isOpen = false
    metrics.socketsClosed.inc({ code: String(code) })
    connection.ws.close(code, reason)
  }

  const write = (connection: Connection, text: string, onTaken?: () => void): void => {
    connection.ws.send(text, onTaken)
    if (connection.ws.bufferedAmount > settings.mostBytes) close(connection, CLOSE.tryAgain, 'too slow')
  }

  return {
    close,

    /** An answer, or something that cannot be read again later. */
    say(connection: Connection, type: string, payload: object, more?: object): void {
      if (!connection.isOpen || !connection.isReady) return
      metrics.framesSent.inc({ type })
      write(connection, frame(type, payload, more))
    },

    /** Of the moment: who does not take what there is does not need this, too. */
    mention(connection: Connection, type: string, text: string): void {
      if (!connection.isOpen || !connection.isReady || connection.pausedAt !== undefined) return
      metrics.framesSent.inc({ type })
      write(connection, text)
    },

    /** The next event of its stream. From when too much lies here until it was taken, the connection is paused. */
    event(connection: Connection, type: string, text: string, onTaken: () => void): void {
      metrics.framesSent.inc({ type })
      metrics.eventsSent.inc()
      if (connection.ws.bufferedAmount + text.length <= settings.pauseBytes) {
        write(connection, text)
        return
      }
      connection.pausedAt = clock.monotonic()
      write(connection, text, () => {
        connection.pausedAt = undefined
        onTaken()
      })
    },
  }
}
export type SocketWriter = ReturnType<typeof createSocketWriter>
