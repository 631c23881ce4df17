import type { AppTokenHolder } from '../../http/app-caller.ts'
import type { AuthScheme } from '../../http/route.ts'
import type { Upgrade } from '../../http/server.ts'
import { createBatcher } from '../../lib/batcher.ts'
import { toError } from '../../lib/error.ts'
import { Problem } from '../../lib/problem.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { ExtensionNewsBus } from '../../signals/extension-news.ts'
import type { Signals } from '../../signals/signals.ts'
import type { ChatNewsBus } from '../chat-news.ts'
import type { ChatUserStore } from '../chat-user-store.ts'
import type { ConversationListStore } from '../conversation-list-store.ts'
import type { ReceiptStore } from '../receipt-store.ts'
import type { UserEventStore } from '../user-event-store.ts'
import { createAcks } from './acks.ts'
import { createAuthenticate } from './authenticate.ts'
import { type CatchUp, createCatchUp } from './catch-up.ts'
import { createConnectionLife } from './connection-life.ts'
import { createEventStream, type EventStream } from './event-stream.ts'
import { createFrameHandlers, type FrameHandlerDeps } from './frame-handlers.ts'
import { createFrameReceiver } from './frame-receiver.ts'
import { createHeartbeat } from './heartbeat.ts'
import { createHub } from './hub.ts'
import { createPresence, type Presence } from './presence.ts'
import type { RealtimeSettings } from './realtime-settings.ts'
import { startRounds } from './rounds.ts'
import { sayGoodbye } from './say-goodbye.ts'
import { createSessionWatch, type LiveSessions } from './session-watch.ts'
import { createSocketServer } from './socket-server.ts'
import { createSocketWriter, type SocketWriter } from './socket-writer.ts'
import type { Tickets } from './tickets.ts'
import { createTyping, typingFrame } from './typing.ts'

type FromOutside = Omit<
  FrameHandlerDeps,
  'readToken' | 'acknowledge' | 'tellTyping' | 'presence' | 'stream' | 'writer'
>

export interface RealtimeDeps extends FromOutside {
  appAuth: AuthScheme<AppTokenHolder>
  tickets: Tickets
  liveSessions: LiveSessions
  signals: Signals
  chatNews: ChatNewsBus
  extensionNews: ExtensionNewsBus
  chatUsers: ChatUserStore
  conversationList: ConversationListStore
  receipts: ReceiptStore
  userEvents: UserEventStore
  metrics: Metrics
  settings: RealtimeSettings
  trustProxyHops: number
  onError: (error: Error) => void
}

export interface Realtime {
  upgrade: Upgrade
  /** Sends everybody away, to come back to another node; waits for slow ones only a moment. */
  close(): Promise<void>
}

/** People who were looked up at once. */
const BATCH = 500
/** As many of those with whom somebody talks alone as a list shows. */
const PEERS = 50

/** The sockets of one API process. */
export function startRealtime(deps: RealtimeDeps): Realtime {
  const { settings } = deps
  const writer = createSocketWriter(deps)
  const stream = createEventStream({ ...deps, writer })
  const presence = createPresence({ ...deps, writer })
  const catchUp = createCatchUp({ ...deps, stream })
  const hub = createHub(deps, listenersOf({ ...deps, writer, stream, presence, catchUp }))
  const sessions = createSessionWatch({ ...deps, writer })
  const { authenticate, readToken } = createAuthenticate(deps)
  const handlers = createFrameHandlers({
    ...{ ...deps, readToken, presence, stream, writer },
    ...{ acknowledge: createAcks(deps), tellTyping: createTyping(deps) },
  })
  const receive = createFrameReceiver({ ...deps, handlers, writer })
  const life = createConnectionLife({ ...deps, ...lookUps(deps), hub, stream, presence, writer, receive })
  const rounds = startRounds({
    ...{ ...deps, hub, presence, sessions, catchUp },
    beat: createHeartbeat({ ...deps, writer }),
  })
  let isStopping = false
  const upgrade = createSocketServer({
    ...{ ...deps, authenticate, accept: life.accept },
    mostPendingPerAddress: settings.mostPendingPerAddress,
    admit(holder) {
      if (isStopping) throw new Problem('sockets_unavailable', { retryAfter: 1 })
      life.admit(holder)
    },
  })
  return {
    upgrade,
    async close() {
      isStopping = true
      await rounds.close()
      await sayGoodbye({ hub, writer, life })
      await presence.idle()
    },
  }
}

/** What many people ask for in one moment is asked in one query. */
function lookUps({ chatUsers, conversationList }: Pick<RealtimeDeps, 'chatUsers' | 'conversationList'>) {
  const seqs = createBatcher(
    async (ids: number[]) => {
      const found = await chatUsers.seqs(ids)
      return ids.map((id) => found.get(id) ?? 0)
    },
    { size: BATCH, parallel: 2 },
  )
  const peers = createBatcher(
    async (holders: AppTokenHolder[]) => {
      const found = await conversationList.peers(holders, PEERS)
      return holders.map(({ extensionId }) => found.get(extensionId) ?? [])
    },
    { size: BATCH, parallel: 1 },
  )
  return {
    newestEventOf: (extensionId: number) => seqs.add(extensionId),
    peersOf: (holder: AppTokenHolder) => peers.add(holder),
  }
}

const listenersOf = ({
  writer,
  stream,
  presence,
  catchUp,
  onError,
}: Pick<RealtimeDeps, 'onError'> & {
  writer: SocketWriter
  stream: EventStream
  presence: Presence
  catchUp: CatchUp
}): Parameters<typeof createHub>[1] => ({
  onEvents(connections, seq) {
    for (const connection of connections) stream.hear(connection, seq)
  },
  onEvent(connections, event) {
    for (const connection of connections) stream.offer(connection, event)
  },
  onTyping(connections, news, tenantId) {
    const text = typingFrame(tenantId, news)
    for (const connection of connections) writer.mention(connection, 'typing', text)
  },
  onGap: (connections) => void catchUp(connections).catch((error: unknown) => onError(toError(error))),
  onPresence: (news) => void presence.hear(news),
  onCall(connections, { type, callId, deviceId, cause }) {
    for (const connection of connections) writer.say(connection, type, { callId, deviceId, cause })
  },
})
