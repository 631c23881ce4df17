import type { AppCaller } from '../../http/app-caller.ts'
import type { Clock } from '../../lib/clock.ts'
import { CLOSE } from './close-codes.ts'
import type { Connection } from './connection.ts'
import type { RealtimeSettings } from './realtime-settings.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Which sessions go on; they are those of the app. */
export interface LiveSessions {
  among(ids: readonly string[], now: Date): Promise<Map<string, AppCaller>>
}

export interface SessionWatchDeps {
  liveSessions: LiveSessions
  writer: SocketWriter
  settings: RealtimeSettings
  clock: Clock
}

/** A socket lives no longer than the login it was opened with. */
export function createSessionWatch({ liveSessions, writer, settings, clock }: SessionWatchDeps) {
  return {
    /** One question for all sockets of this process: whoever ended a session, on whatever node, it is out. */
    async checkSessions(connections: ReadonlySet<Connection>): Promise<void> {
      const asked = [...connections].map((connection) => ({ connection, holder: connection.holder }))
      const ids = [...new Set(asked.map(({ holder }) => holder.sessionId))]
      const live = await liveSessions.among(ids, new Date(clock.now()))
      for (const { connection, holder } of asked) {
        // It has shown another token meanwhile.
        if (connection.holder !== holder) continue
        const session = live.get(holder.sessionId)
        if (session?.extension !== holder.extension) {
          writer.close(connection, CLOSE.unauthorized, 'the session has ended')
        } else if (session.deviceKey !== holder.deviceKey) {
          // The phone has registered since: what it acknowledges counts from now on.
          connection.holder = { ...session, tokenExpiresAt: holder.tokenExpiresAt }
          connection.deviceId = undefined
        }
      }
    },

    /** Tells that its token ends soon, and closes it when it has. */
    checkToken(connection: Connection): void {
      const expiresAt = connection.holder.tokenExpiresAt
      const leftMs = expiresAt.getTime() - clock.now()
      if (leftMs <= 0) writer.close(connection, CLOSE.unauthorized, 'the token has expired')
      else if (leftMs <= settings.expiryNoticeMs && !connection.isExpiryTold) {
        connection.isExpiryTold = true
        writer.say(connection, 'auth.expiring', { expiresAt: expiresAt.toISOString() })
      }
    },
  }
}
export type SessionWatch = ReturnType<typeof createSessionWatch>
