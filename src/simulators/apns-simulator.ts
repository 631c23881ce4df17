import {
  createSecureServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { isTaken } from './apns-answering.ts'
import type { ApnsAnswer, ApnsEnvironment, ApnsReceived, ApnsSimulatorOptions } from './apns-protocol.ts'
import { createTokenUpdateWatch } from './apns-provider-token.ts'
import { type ApnsConnection, createApnsReception } from './apns-reception.ts'
import type { BoundedRecord } from './bounded-record.ts'
import { createStop, listenOnLoopback } from './listen.ts'
import type { PushSource } from './push-listeners.ts'

/** Apple's own number is not documented; 1,000 has been seen. */
const MAX_CONCURRENT_STREAMS = 1_000
/** Megabytes per connection: with Node's default of 10 a burst of a thousand streams is refused. */
const MAX_SESSION_MEMORY = 100

export interface ApnsSimulator extends PushSource<ApnsReceived>, AsyncDisposable {
  readonly environment: ApnsEnvironment
  readonly port: number
  /** `https://127.0.0.1:<port>` */
  readonly url: string
  /** Every request that arrived, refused ones too, oldest first. */
  readonly received: readonly ApnsReceived[]
  readonly record: BoundedRecord<ApnsReceived>
  /** Connections since the start, and now. */
  readonly sessionCount: number
  readonly openSessions: number
  /** Answers for requests without a fault, each used once in order; then the permanent one, or 200. */
  answers(token: string, ...answers: readonly ApnsAnswer[]): void
  /** The permanent answer for a token. */
  behaves(token: string, answer: ApnsAnswer): void
  forgets(token: string): void
  /** Tells both gateways where a token was issued; the other one then refuses it. */
  registers(token: string, environment: ApnsEnvironment): void
  /** The phone is off line: what it is sent is kept as Apple keeps it, until it is back. */
  loses(token: string): void
  regains(token: string): void
  keptFor(token: string): readonly ApnsReceived[]
  close(): Promise<void>
}

/** Apple's push gateway on 127.0.0.1: TLS, HTTP/2, provider tokens, and every check that can be made without a phone. */
export async function createApnsSimulator(options: ApnsSimulatorOptions): Promise<ApnsSimulator> {
  const reception = createApnsReception(options)
  const sessions = new Map<Http2Session, ApnsConnection>()
  let sessionCount = 0
  const server = createSecureServer({
    ...options.certificates,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2'],
    maxSessionMemory: MAX_SESSION_MEMORY,
    settings: { maxConcurrentStreams: options.maxConcurrentStreams ?? MAX_CONCURRENT_STREAMS },
  })
  const stop = createStop(server)
  server.on('session', (session) => {
    sessionCount += 1
    const updatesTokenTooOften = createTokenUpdateWatch(options.minTokenUpdateMs ?? 0)
    sessions.set(session, { id: sessionCount, updatesTokenTooOften })
    session.on('close', () => sessions.delete(session))
    ignoreErrors(session)
  })
  server.on(
    'stream',
    (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
      const connection = stream.session && sessions.get(stream.session)
      if (connection && isTaken(stream)) reception.receive(stream, headers, rawHeaders, connection)
    },
  )
  // A client that fails its handshake is the client's news, not ours.
  server.on('tlsClientError', () => undefined)
  const port = await listenOnLoopback(server, options.port ?? 0)

  const close = async () => {
    reception.stop()
    await Promise.all([...sessions.keys()].map(destroy))
    await stop()
  }
  return {
    ...reception.script,
    environment: options.environment,
    port,
    url: `https://127.0.0.1:${port}`,
    get sessionCount() {
      return sessionCount
    },
    get openSessions() {
      return sessions.size
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** A session that breaks is the sender's doing; without a listener it would end the process. */
function ignoreErrors(session: Http2Session): void {
  session.on('error', () => undefined)
}

/** Senders are told by GOAWAY; what was still unanswered stays so. */
async function destroy(session: Http2Session): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  session.once('close', () => resolve())
  session.destroy()
  await promise
}
