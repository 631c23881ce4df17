import { toError } from '../../lib/error.ts'
import { startLoop } from '../../lib/loop.ts'
import { SECOND } from '../../lib/units.ts'
import type { CatchUp } from './catch-up.ts'
import type { Beat } from './heartbeat.ts'
import type { Hub } from './hub.ts'
import type { Presence } from './presence.ts'
import type { RealtimeSettings } from './realtime-settings.ts'
import type { SessionWatch } from './session-watch.ts'

export interface RoundsDeps {
  hub: Hub
  presence: Presence
  sessions: SessionWatch
  beat: Beat
  catchUp: CatchUp
  settings: RealtimeSettings
  onError: (error: Error) => void
}

/** What is looked at is due at some second or other; tests wait less. */
const TICK_MS = SECOND
/** A question that the database does not answer holds up no stop. */
const CLOSE_MS = SECOND

/** What a process does about its sockets without being asked. */
export function startRounds({ hub, presence, sessions, beat, catchUp, settings, onError }: RoundsDeps) {
  const every = (everyMs: number, work: () => Promise<void>) =>
    startLoop(() => work().then(() => false), { everyMs, onError: (error) => onError(toError(error)) })

  const loops = [
    every(Math.min(TICK_MS, settings.heartbeatMs / 2), async () => {
      for (const connection of hub.all()) {
        sessions.checkToken(connection)
        beat(connection)
      }
    }),
    every(settings.checkEventsMs, () => catchUp([...hub.all()])),
    every(settings.checkSessionsMs, () => sessions.checkSessions(hub.all())),
    every(settings.presenceRefreshMs, presence.refresh),
  ]
  return { close: () => Promise.all(loops.map((loop) => loop.close(CLOSE_MS))) }
}
