import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { SimulatorCertificates } from '../../src/simulators/certificates.ts'
import { createStop, listenOnLoopback } from '../../src/simulators/listen.ts'

/** One request as it came in. */
export interface ReceivedWebhook {
  method: string
  path: string
  headers: IncomingHttpHeaders
  /** Byte for byte. */
  body: string
}

/** `silent` does not answer before it is released, `endless` answers 200 and never ends its body. */
export type ReceiverAnswer =
  | { status: number; headers?: Record<string, string>; body?: string }
  | 'silent'
  | 'endless'

/** What an owner runs behind his URL: HTTP, or HTTPS when certificates are given, on 127.0.0.1. */
export async function startWebhookReceiver(certificates?: SimulatorCertificates) {
  const received: ReceivedWebhook[] = []
  const script: ReceiverAnswer[] = []
  let standing: ReceiverAnswer = { status: 200 }
  const waiting: ServerResponse[] = []
  let connections = 0
  let open = 0
  let mostOpen = 0

  const listener: RequestListener = (request, response) => {
    open += 1
    mostOpen = Math.max(mostOpen, open)
    response.once('close', () => {
      open -= 1
    })
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('end', () => {
      const { method = '', url: path = '', headers } = request
      received.push({ method, path, headers, body: Buffer.concat(chunks).toString() })
      const answer = script.shift() ?? standing
      if (answer === 'silent') waiting.push(response)
      else respond(response, answer)
    })
  }
  const server = certificates ? createTlsServer(certificates, listener) : createServer(listener)
  server.on('connection', () => {
    connections += 1
  })
  // A client that does not trust us says so itself.
  server.on('tlsClientError', () => undefined)
  const stop = createStop(server)
  const port = await listenOnLoopback(server, 0)
  return {
    url: `${certificates ? 'https' : 'http'}://127.0.0.1:${port}/hook`,
    port,
    /** Oldest first. */
    received,
    connections: () => connections,
    /** Requests that wait for their answer, now and at most so far. */
    open: () => open,
    mostOpen: () => mostOpen,
    /** Answers used once each, in order. */
    answers: (...answers: readonly ReceiverAnswer[]) => void script.push(...answers),
    /** The answer when there is no other. */
    behaves(answer: ReceiverAnswer): void {
      standing = answer
    },
    /** Answers 200 to those that wait. */
    release(): void {
      for (const response of waiting.splice(0)) response.end()
    },
    [Symbol.asyncDispose]: stop,
  }
}
export type WebhookReceiver = Awaited<ReturnType<typeof startWebhookReceiver>>

function respond(response: ServerResponse, answer: Exclude<ReceiverAnswer, 'silent'>): void {
  if (answer !== 'endless') {
    response.writeHead(answer.status, answer.headers).end(answer.body)
    return
  }
  response.writeHead(200)
  const more = () => response.writable && response.write(Buffer.alloc(16_384), () => setImmediate(more))
  more()
}
