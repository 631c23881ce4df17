import type { WebSocket } from 'ws'
import type { AppTokenHolder } from '../../http/app-caller.ts'
import type { Clock } from '../../lib/clock.ts'
import { toError } from '../../lib/error.ts'
import { Problem } from '../../lib/problem.ts'
import type { Metrics } from '../../observability/metrics.ts'
import { ATTENTIVE_MS, type Attention } from '../attention.ts'
import { type Person, userIdOf } from '../chat.ts'
import type { SyncCursors } from '../sync-cursor.ts'
import { CLOSE, closeLabel } from './close-codes.ts'
import { type Connection, newConnection } from './connection.ts'
import type { EventStream } from './event-stream.ts'
import type { Hub } from './hub.ts'
import type { Presence } from './presence.ts'
import type { RealtimeSettings } from './realtime-settings.ts'
import type { SocketWriter } from './socket-writer.ts'
import { describe } from './watch-list.ts'

/** Seconds after which there may be room again. */
const RETRY_AFTER = 5

export interface ConnectionLifeDeps {
  hub: Hub
  stream: EventStream
  presence: Presence
  writer: SocketWriter
  attention: Attention
  syncCursors: SyncCursors
  settings: RealtimeSettings
  clock: Clock
  metrics: Pick<Metrics, 'sockets' | 'socketsClosed'>
  /** The number of somebody's newest event. */
  newestEventOf: (extensionId: number) => Promise<number>
  peersOf: (holder: AppTokenHolder) => Promise<Person[]>
  receive: (connection: Connection, data: string | undefined) => void
  onError: (error: Error) => void
}

/** A socket from its beginning to its end. */
export function createConnectionLife(deps: ConnectionLifeDeps) {
  const { hub, stream, presence, writer, settings, clock, metrics, onError } = deps
  let onLeft: () => void = () => undefined

  const begin = async (connection: Connection): Promise<void> => {
    const { tenantId, extensionId } = connection.holder
    const seq = await deps.newestEventOf(extensionId)
    if (!connection.isOpen) return
    stream.begin(connection, seq)
    const cursor = deps.syncCursors.of(extensionId, seq)
    connection.isReady = true
    writer.say(connection, 'ready', { userId: userIdOf(tenantId, extensionId), cursor, seq })
    setTimeout(() => connection.isHeld && stream.goOn(connection), settings.helloMs).unref()
    connection.ws.resume()
  }

  /** Those with whom he talks alone, as long as he has not named others. */
  const watchPeers = async (connection: Connection): Promise<void> => {
    if (!connection.isOpen) return
    const people = await deps.peersOf(connection.holder)
    if (!connection.isOpen || connection.isSubscribed || people.length === 0) return
    for (const [person, status] of await presence.watch(connection, people)) {
      if (status === 'offline') continue
      writer.say(connection, 'user.presence', describe(connection.holder.tenantId, person, status))
    }
  }

  const leave = (connection: Connection, code: number): void => {
    if (connection.isOpen) metrics.socketsClosed.inc({ code: closeLabel(code) })
    connection.isOpen = false
    hub.remove(connection)
    metrics.sockets.set(hub.all().size)
    void presence.left(connection)
    void noteUnattended(deps, connection)
    onLeft()
  }

  return {
    /** Throws a Problem when there is no room. A client that comes back before we know that it had gone takes its own place. */
    admit(holder?: AppTokenHolder): void {
      if (hub.all().size >= settings.mostSockets)
        throw new Problem('sockets_unavailable', { retryAfter: RETRY_AFTER })
      if (!holder) return
      const own = [...hub.of(holder)].filter(({ isOpen }) => isOpen)
      if (own.length < settings.mostPerExtension) return
      const former = own.find((connection) => connection.holder.sessionId === holder.sessionId)
      if (!former) throw new Problem('too_many_sockets', { retryAfter: RETRY_AFTER })
      writer.close(former, CLOSE.brokenRules, 'too many sockets')
    },

    accept(ws: WebSocket, holder: AppTokenHolder): void {
      const connection = newConnection(ws, holder, clock.monotonic())
      hub.add(connection)
      metrics.sockets.set(hub.all().size)
      ws.on('message', (data, isBinary) => deps.receive(connection, isBinary ? undefined : String(data)))
      ws.on('pong', () => {
        connection.missedPongs = 0
      })
      // It is closed after that, which is all that has to be done.
      ws.on('error', () => undefined)
      ws.on('close', (code) => leave(connection, code))
      void presence.joined(connection)
      // What it says is heard when it knows where its stream begins.
      ws.pause()
      begin(connection)
        .catch((error: unknown) => {
          onError(toError(error))
          writer.close(connection, CLOSE.tryAgain, 'the database cannot be reached')
        })
        .then(() => watchPeers(connection))
        .catch((error: unknown) => onError(toError(error)))
    },

    /** Resolves when nobody is there any more. */
    emptied(): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      onLeft = () => {
        if (hub.all().size === 0) resolve()
      }
      onLeft()
      return promise
    },
  }
}
export type ConnectionLife = ReturnType<typeof createConnectionLife>

/** Whoever has closed his app is pushed at once; unless the same phone is here on another line, or long silent. */
async function noteUnattended(
  { hub, attention, clock }: Pick<ConnectionLifeDeps, 'hub' | 'attention' | 'clock'>,
  { holder, deviceId, attentiveAt }: Connection,
): Promise<void> {
  if (deviceId === undefined || attentiveAt === undefined || clock.now() - attentiveAt > ATTENTIVE_MS) return
  const isElsewhere = [...hub.of(holder)].some(
    (other) => other.deviceId === deviceId && other.attentiveAt !== undefined,
  )
  if (!isElsewhere) await attention.note(deviceId, false)
}
