import type { ClientHttp2Session } from 'node:http2'
import apn from '@parse/node-apn'
import { SECOND } from '../../../lib/units.ts'
import type { ApnsCredentials } from '../../app-credentials.ts'
import { deadlinePassed, isTimeout, notSent, readFailedEntry, unknown } from './apns-failures.ts'
import type { ProviderToken } from './apns-provider-token.ts'
import type { ApnsReply, ApnsRequest } from './apns-reply.ts'
import { watchConnection } from './apns-watch.ts'

/** The longest that a timer can wait: the library's own pings only log, ours act. */
const NEVER = 2 ** 31 - 1

export interface ApnsSessionOptions {
  /** For one answer, ms; also after how long a connection without one is replaced. Default 2,000. */
  requestTimeoutMs?: number
  /** Between two pings of the connection, ms. Default 15,000. */
  pingEveryMs?: number
}

/** The requests of one app to one of Apple's gateways. */
export interface ApnsSession {
  /** Never rejects. @param signal Ends the wait. */
  send(request: ApnsRequest, signal: AbortSignal): Promise<ApnsReply>
  /** Waits for the answers on their way, no longer than their time-out. */
  close(): Promise<void>
}

interface Gateway {
  credentials: ApnsCredentials
  /** `https://host:port` */
  endpoint: string
  token: ProviderToken
}

/** The parts of the library's client that its types leave out and that nothing public stands for. */
interface NodeApnClient {
  config: { token: ProviderToken }
  session?: ClientHttp2Session
}

/** One of the library's providers. It reconnects by itself after a GOAWAY, but not when the other side falls silent. */
interface Line {
  provider: apn.Provider
  client: NodeApnClient
  inFlight: number
  isRetired: boolean
  isEnding: boolean
  stopWatch(): void
  gone: PromiseWithResolvers<void>
}

/**
 * A connection by way of @parse/node-apn, without its retries: they know no deadline and send under new ids. A line that leaves
 * one request unanswered is replaced at once, so that the next push does not wait on the same half-open connection.
 */
export function createApnsSession(gateway: Gateway, options: ApnsSessionOptions): ApnsSession {
  const { requestTimeoutMs = 2 * SECOND, pingEveryMs = 15 * SECOND } = options
  const lines = new Set<Line>()
  let isClosed = false
  let current = open()

  function open(): Line {
    const provider = createProvider(gateway, requestTimeoutMs)
    const client = clientOf(provider)
    client.config.token = gateway.token
    const limits = { everyMs: pingEveryMs, withinMs: requestTimeoutMs }
    const stopWatch = watchConnection(
      () => client.session,
      limits,
      () => retire(line),
    )
    const gone = Promise.withResolvers<void>()
    const line: Line = { provider, client, inFlight: 0, isRetired: false, isEnding: false, stopWatch, gone }
    lines.add(line)
    return line
  }

  function retire(line: Line): void {
    if (line.isRetired) return
    line.isRetired = true
    line.stopWatch()
    if (line === current && !isClosed) current = open()
    void endWhenIdle(line)
  }

  async function endWhenIdle(line: Line): Promise<void> {
    if (!line.isRetired || line.inFlight > 0 || line.isEnding) return
    line.isEnding = true
    await endConnection(line.client.session)
    line.provider.shutdown()
    lines.delete(line)
    line.gone.resolve()
  }

  async function attempt(line: Line, request: ApnsRequest): Promise<ApnsReply> {
    line.inFlight += 1
    try {
      const reply = await sendOnce(line, request)
      if (isTimeout(reply)) retire(line)
      return reply
    } finally {
      line.inFlight -= 1
      if (line.isRetired) void endWhenIdle(line)
    }
  }

  return {
    async send(request, signal) {
      if (isClosed) return notSent('shutting_down', 'This node is shutting down.')
      if (signal.aborted) return notSent('deadline', 'The time for the push was over before it was sent.')
      const line = current
      return untilAborted(attempt(line, request), signal, () => deadlinePassed(isConnected(line)))
    },

    async close() {
      isClosed = true
      retire(current)
      await Promise.all([...lines].map((line) => line.gone.promise))
    },
  }
}

function createProvider({ credentials, endpoint }: Gateway, requestTimeout: number): apn.Provider {
  const { signingKey: key, keyId, teamId, ca } = credentials
  const { hostname, port } = new URL(endpoint)
  return new apn.Provider({
    token: { key, keyId, teamId },
    address: hostname,
    port: Number(port || 443),
    ...(ca !== undefined && { ca: [ca] }),
    rejectUnauthorized: true,
    connectionRetryLimit: 0,
    heartBeat: NEVER,
    requestTimeout,
  })
}

/** @throws With another version of the library than the one this file was written for. */
function clientOf(provider: apn.Provider): NodeApnClient {
  const { client } = provider as unknown as { client?: NodeApnClient }
  if (!client?.config?.token) throw new Error('@parse/node-apn has changed: apns-session.ts needs a new look')
  return client
}

const isConnected = ({ client: { session } }: Line): boolean => session !== undefined && !session.connecting

async function sendOnce(line: Line, request: ApnsRequest): Promise<ApnsReply> {
  const { id, topic, pushType, priority, expiration: expiry, body } = request
  // The library keeps its JSON in `compiled`; with ours in its place nothing is encoded twice.
  const notification = new apn.Notification({ id, topic, pushType, priority, expiry, compiled: body })
  const { sent, failed } = await line.provider.send(notification, request.token)
  const [failure] = failed
  if (failure) return readFailedEntry(failure, isConnected(line))
  const [success] = sent as { 'apns-id'?: string }[]
  if (!success) return unknown('unreadable_answer', 'Apple gave an answer that cannot be read.')
  const apnsId = success['apns-id']
  return { status: 200, ...(apnsId !== undefined && { apnsId }) }
}

/** The work goes on after the signal: how it ends still tells whether the connection is alive. */
async function untilAborted(
  work: Promise<ApnsReply>,
  signal: AbortSignal,
  atDeadline: () => ApnsReply,
): Promise<ApnsReply> {
  const { promise, resolve } = Promise.withResolvers<ApnsReply>()
  const onAbort = () => resolve(atDeadline())
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A graceful end would wait for the other side, which may be gone without a word. */
async function endConnection(session: ClientHttp2Session | undefined): Promise<void> {
  if (!session || session.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  session.once('close', resolve)
  session.destroy()
  await promise
}
