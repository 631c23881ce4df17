import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Socket } from 'node:net'
import { systemClock } from '../lib/clock.ts'
import { MINUTE } from '../lib/units.ts'
import type { BoundedRecord } from './bounded-record.ts'
import { createAccessTokens } from './fcm-access-tokens.ts'
import { errorBody, type FcmAnswer, type FcmReceived, type FcmSimulatorOptions } from './fcm-protocol.ts'
import { createFcmReception, stampArrival } from './fcm-reception.ts'
import { createStop, listenOnLoopback } from './listen.ts'
import type { PushSource } from './push-listeners.ts'
import { readText } from './read-text.ts'

/** Google's front ends keep an idle connection for about this long; Node's 5 seconds would break senders in between. */
const KEEP_ALIVE = 4 * MINUTE
/** Seconds. */
const ACCESS_TOKEN_LIFETIME = 3_599
/** Bytes; a message is much smaller. */
const MAX_BODY = 65_536

export interface FcmSimulator extends PushSource<FcmReceived>, AsyncDisposable {
  readonly port: number
  /** `https://127.0.0.1:<port>`, in place of fcm.googleapis.com and oauth2.googleapis.com. */
  readonly url: string
  readonly projectId: string
  /** Every send request that arrived, refused ones too, oldest first. */
  readonly received: readonly FcmReceived[]
  readonly record: BoundedRecord<FcmReceived>
  readonly connectionCount: number
  readonly accessTokensIssued: number
  /** Answers for requests without a fault, each used once in order; then the permanent one, or 200. */
  answers(token: string, ...answers: readonly FcmAnswer[]): void
  /** The permanent answer for a token. */
  behaves(token: string, answer: FcmAnswer): void
  forgets(token: string): void
  /** The phone is off line: what it is sent is kept as Google keeps it, until it is back. */
  loses(token: string): void
  regains(token: string): void
  keptFor(token: string): readonly FcmReceived[]
  /** Refuses every access token issued until now, as after a change of the service account. */
  revokeAccessTokens(): void
  close(): Promise<void>
}

/**
 * Google's OAuth2 token endpoint and FCM HTTP v1 on 127.0.0.1 (TLS, HTTP/1.1):
 * https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
 */
export async function createFcmSimulator(options: FcmSimulatorOptions): Promise<FcmSimulator> {
  const accessTokens = createAccessTokens({
    ...options.serviceAccount,
    clock: options.clock ?? systemClock,
    secret: options.accessTokenSecret ?? randomBytes(32),
    lifetime: options.accessTokenLifetime ?? ACCESS_TOKEN_LIFETIME,
  })
  const reception = createFcmReception(options)
  const connections = new Map<Socket, number>()
  let connectionCount = 0
  const context = {
    options,
    accessTokens,
    reception,
    connectionOf: (socket: Socket) => connections.get(socket) ?? 0,
  }
  const server = createServer(
    { ...options.certificates, minVersion: 'TLSv1.2', keepAliveTimeout: KEEP_ALIVE },
    (request, response) => void handle(request, response, context),
  )
  const stop = createStop(server)
  server.on('secureConnection', (socket) => {
    connectionCount += 1
    connections.set(socket, connectionCount)
    socket.on('close', () => connections.delete(socket))
  })
  // A client that fails its handshake is the client's news, not ours.
  server.on('tlsClientError', () => undefined)
  const port = await listenOnLoopback(server, options.port ?? 0)

  const close = async () => {
    reception.stop()
    await stop()
  }
  return {
    ...reception.script,
    port,
    url: `https://127.0.0.1:${port}`,
    projectId: options.projectId,
    get connectionCount() {
      return connectionCount
    },
    get accessTokensIssued() {
      return accessTokens.issued
    },
    revokeAccessTokens: accessTokens.revoke,
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Context {
  options: FcmSimulatorOptions
  accessTokens: ReturnType<typeof createAccessTokens>
  reception: ReturnType<typeof createFcmReception>
  connectionOf(socket: Socket): number
}

async function handle(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  const { options, accessTokens, reception } = context
  const stamp = stampArrival(options.clock)
  const body = await readText(request, MAX_BODY)
  if (body === 'broken') return
  if (body === 'too large') {
    respondJson(response, 413, errorBody({ status: 413, message: 'Request Entity Too Large' }))
    return
  }
  const { method, url = '', headers, socket } = request
  const projectId = /^\/v1\/projects\/([^/]+)\/messages:send$/.exec(url)?.[1]
  if (method === 'POST' && url === '/token') {
    const answer = await accessTokens.grant(new URLSearchParams(body.text), `https://${headers.host}`)
    respondJson(response, answer.status, JSON.stringify(answer.body))
  } else if (method === 'POST' && projectId !== undefined) {
    const isAuthorized = accessTokens.isGood(headers.authorization)
    const connectionId = context.connectionOf(socket)
    reception.receive({ request, response, body: body.text, projectId, isAuthorized, connectionId, ...stamp })
  } else {
    respondJson(response, 404, errorBody({ status: 404, message: 'Method not found.' }))
  }
}

function respondJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
  response.end(body)
}
