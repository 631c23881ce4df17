import type { ClientHttp2Session } from 'node:http2'
import apn from '@parse/node-apn'
import { systemClock } from '../../../lib/clock.ts'
import type { ApnsCredentials } from '../../app-credentials.ts'
import { createApnsDepartures, type Departure } from './apns-departures.ts'
import { deadlinePassed, readFailedEntry } from './apns-failures.ts'
import type { ProviderToken } from './apns-provider-token.ts'
import type { ApnsReply, ApnsRequest } from './apns-reply.ts'
import { createApnsResponses } from './apns-responses.ts'
import { type ApnsSockets, createApnsSockets } from './apns-sockets.ts'
import { watchConnection } from './apns-watch.ts'

/** The longest that a timer can wait: the library's own pings only log, ours act. */
const NEVER = 2 ** 31 - 1

export interface ApnsGateway {
  credentials: ApnsCredentials
  /** `https://host:port` */
  endpoint: string
  token: ProviderToken
  /** For one answer, ms. */
  requestTimeoutMs: number
  /** Between two pings of the connection, ms. */
  pingEveryMs: number
}

/** One request, one try. */
export interface ApnsSending {
  /** Never rejects, and takes no longer than the time-out. */
  reply: Promise<ApnsReply>
  /** Nobody waits any more: what has not left stays here. */
  giveUp(): ApnsReply
}

/** A connection to one of Apple's gateways, opened by its first request at the latest and again after Apple has closed it. */
export interface ApnsSession {
  readonly inFlight: number
  /** Begins to open it. Never rejects: what is in the way, the first request meets again. */
  open(): Promise<void>
  send(request: ApnsRequest): ApnsSending
  /** Resolves when no connection is left. What is still in flight ends as `unknown`. */
  close(): Promise<void>
}

/** The parts of the library's client that its types leave out and that nothing public stands for. */
interface NodeApnClient {
  config: { token: ProviderToken }
  session?: ClientHttp2Session
  connect(): Promise<void>
  closeAndDestroySession(session: ClientHttp2Session | undefined): Promise<void>
}

/**
 * @parse/node-apn without its retries, which know no deadline, without its own provider tokens, and without its way of ending a
 * connection: when Apple says GOAWAY or answers one push with 500, it destroys the session together with all pushes in flight.
 * @param onSilent Called when the other side answers no ping.
 */
export function createApnsSession(gateway: ApnsGateway, onSilent: () => void): ApnsSession {
  const { token, requestTimeoutMs, pingEveryMs } = gateway
  const sockets = createApnsSockets(gateway.endpoint, gateway.credentials.ca, requestTimeoutMs)
  const provider = createProvider(gateway, sockets)
  const client = clientOf(provider)
  const responses = createApnsResponses(systemClock)
  const departures = createApnsDepartures()
  let inFlight = 0
  client.config.token = token
  client.closeAndDestroySession = async (session) => {
    if (session && !session.closed) closeGently(session, requestTimeoutMs)
  }
  const limits = { everyMs: pingEveryMs, withinMs: requestTimeoutMs }
  const stopWatch = watchConnection(() => client.session, limits, onSilent)
  const answer = async (request: ApnsRequest, departure: Departure): Promise<ApnsReply> => {
    inFlight += 1
    using response = responses.expect(request.id)
    using _departure = departure
    try {
      const { failed } = await provider.send(createNotification(request), request.token)
      const [failure] = failed
      return response.reply() ?? (failure ? readFailedEntry(failure, departure.whereabouts()) : ACCEPTED)
    } finally {
      inFlight -= 1
    }
  }

  return {
    get inFlight() {
      return inFlight
    },

    open: () => openAhead(client, requestTimeoutMs).catch(() => undefined),

    send(request) {
      const departure = departures.expect(request.id)
      return { reply: answer(request, departure), giveUp: () => deadlinePassed(departure.recall()) }
    },

    async close() {
      stopWatch()
      responses.close()
      departures.close()
      await sockets.destroy()
      await provider.shutdown()
    },
  }
}

function createProvider(gateway: ApnsGateway, sockets: ApnsSockets): apn.Provider {
  const { signingKey: key, keyId, teamId } = gateway.credentials
  const options = {
    token: { key, keyId, teamId },
    address: new URL(gateway.endpoint).hostname,
    connectionRetryLimit: 0,
    heartBeat: NEVER,
    requestTimeout: gateway.requestTimeoutMs,
    // The library hands on what it does not know to http2.connect, which then leaves address, port and trust to this.
    createConnection: sockets.open,
  }
  return new apn.Provider(options)
}

/** @throws With another version of the library than the one this file was written for. */
function clientOf(provider: apn.Provider): NodeApnClient {
  const { client } = provider as unknown as { client?: NodeApnClient }
  if (!client?.config?.token || !client.connect || !client.closeAndDestroySession) {
    throw new Error('@parse/node-apn has changed: apns-session.ts needs a new look')
  }
  return client
}

/** A gateway that takes the connection and says nothing must not keep the first push waiting for it, whenever that comes. */
async function openAhead(client: NodeApnClient, withinMs: number): Promise<void> {
  await client.connect()
  const { session } = client
  if (!session?.connecting) return
  const limit = setTimeout(() => session.destroy(), withinMs).unref()
  for (const event of ['connect', 'close']) session.once(event, () => clearTimeout(limit))
}

/** The library keeps its JSON in `compiled`; with ours in its place nothing is encoded twice. */
function createNotification(request: ApnsRequest): apn.Notification {
  const { id, topic, pushType, priority, expiration: expiry, collapseId, body } = request
  const options = { id, topic, pushType, priority, expiry, compiled: body }
  return new apn.Notification(collapseId === undefined ? options : { ...options, collapseId })
}

/** As the library has it, when the answer was taken for that to another push with the same id. */
const ACCEPTED: ApnsReply = { status: 200 }

/** New pushes take a new connection; those in flight keep theirs until they are answered or out of time. */
function closeGently(session: ClientHttp2Session, withinMs: number): void {
  const limit = setTimeout(() => session.destroy(), withinMs)
  session.once('close', () => clearTimeout(limit))
  session.close()
}
