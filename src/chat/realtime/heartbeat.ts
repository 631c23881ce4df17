import type { Clock } from '../../lib/clock.ts'
import { CLOSE } from './close-codes.ts'
import type { Connection } from './connection.ts'
import type { RealtimeSettings } from './realtime-settings.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Who does not answer so many pings is gone, whatever the network still believes. */
const MOST_MISSED = 2

/** Finds lines with nobody at the other end, or with somebody who takes nothing. */
export function createHeartbeat({
  writer,
  settings,
  clock,
}: {
  writer: SocketWriter
  settings: RealtimeSettings
  clock: Clock
}) {
  return function beat(connection: Connection): void {
    const now = clock.monotonic()
    const { pausedAt } = connection
    if (pausedAt !== undefined && now - pausedAt > settings.stalledMs) {
      writer.close(connection, CLOSE.tryAgain, 'too slow')
    } else if (now - connection.pingedAt >= settings.heartbeatMs) {
      if (connection.missedPongs >= MOST_MISSED) connection.ws.terminate()
      else {
        connection.missedPongs += 1
        connection.pingedAt = now
        connection.ws.ping()
      }
    }
  }
}
export type Beat = ReturnType<typeof createHeartbeat>
