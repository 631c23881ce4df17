import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { systemClock } from '../lib/clock.ts'
import { giveAnswer, reachesPhone, verdictOf } from './apns-answering.ts'
import { findFault } from './apns-checks.ts'
import { apnsKeeping } from './apns-keeping.ts'
import { findMismatch } from './apns-payload-checks.ts'
import type {
  ApnsAnswer,
  ApnsEnvironment,
  ApnsReceived,
  ApnsSimulatorOptions,
  ApnsVerdict,
} from './apns-protocol.ts'
import { createProviderTokenVerifier, type ProviderToken } from './apns-provider-token.ts'
import { type ApnsRequest, deviceTokenOf, hasRepeatedHeader, header, parsePayload } from './apns-request.ts'
import { createBoundedRecord } from './bounded-record.ts'
import { createCourier } from './courier.ts'
import { createDelays } from './delays.ts'
import { createPushListeners } from './push-listeners.ts'
import { createScriptedAnswers } from './scripted-answers.ts'

/** What is kept of a body; beyond it only the size counts. */
const MAX_KEPT_BODY = 16_384
const DEFAULT_RECORD = 100_000

/** What the gateway remembers of a connection. */
export interface ApnsConnection {
  id: number
  updatesTokenTooOften(token: ProviderToken): boolean
}

/** A request with its whole body, not yet judged. */
interface Arrival {
  stream: ServerHttp2Stream
  headers: IncomingHttpHeaders
  rawHeaders: readonly string[]
  connection: ApnsConnection
  at: number
  monotonic: number
  body: Buffer
  size: number
}

/** Everything but the connections: reads a request, judges it, answers, remembers. */
export function createApnsReception(options: ApnsSimulatorOptions) {
  const { record: capacity = DEFAULT_RECORD, clock = systemClock, environment } = options
  const environments = options.tokenEnvironments ?? new Map<string, ApnsEnvironment>()
  const verifier = createProviderTokenVerifier(options.accounts)
  const scripted = createScriptedAnswers<ApnsAnswer>()
  const listeners = createPushListeners<ApnsReceived>()
  const courier = createCourier<ApnsReceived>({ ...apnsKeeping, clock }, listeners.emit)
  const record = createBoundedRecord<ApnsReceived>(capacity === false ? 0 : capacity)
  const delays = createDelays()

  function conclude(arrival: Arrival, providerToken: ProviderToken): void {
    const token = deviceTokenOf(arrival.headers[':path'] ?? '')?.toLowerCase()
    const request: ApnsRequest = {
      ...describe(arrival, providerToken),
      deviceToken: token,
      tokenEnvironment: environments.get(token ?? ''),
      serverEnvironment: environment,
      now: clock.now(),
    }
    const fault = findFault(request)
    const answer: ApnsAnswer = fault ?? scripted.next(token ?? '') ?? { status: 200 }
    const push = pushOf(arrival, request, verdictOf(answer))
    record.add(push)
    delays.run('delayMs' in answer ? answer.delayMs : undefined, () => {
      giveAnswer(arrival.stream, answer, push.apnsId)
      if (reachesPhone(answer)) courier.carry(push)
    })
  }

  function judge(arrival: Arrival): void {
    const { authorization } = arrival.headers
    const known = verifier.known(authorization)
    if (known) conclude(arrival, known)
    else void verifier.verify(authorization).then((token) => conclude(arrival, token))
  }

  return {
    receive(
      stream: ServerHttp2Stream,
      headers: IncomingHttpHeaders,
      rawHeaders: readonly string[],
      connection: ApnsConnection,
    ) {
      const [at, monotonic] = [clock.now(), clock.monotonic()]
      readBody(stream, (body, size) =>
        judge({ stream, headers, rawHeaders, connection, at, monotonic, body, size }),
      )
    },
    stop: delays.stop,
    script: {
      record,
      received: record.items,
      onAccepted: listeners.onAccepted,
      answers: (token: string, ...answers: readonly ApnsAnswer[]) =>
        scripted.once(token.toLowerCase(), ...answers),
      behaves: (token: string, answer: ApnsAnswer) => scripted.always(token.toLowerCase(), answer),
      forgets: (token: string) => scripted.forget(token.toLowerCase()),
      loses: (token: string) => courier.loses(token.toLowerCase()),
      regains: (token: string) => courier.regains(token.toLowerCase()),
      keptFor: (token: string) => courier.keptFor(token.toLowerCase()),
      registers(token: string, issuedIn: ApnsEnvironment) {
        environments.set(token.toLowerCase(), issuedIn)
      },
    },
  }
}

function describe({ headers, rawHeaders, connection, body, size }: Arrival, providerToken: ProviderToken) {
  return {
    method: headers[':method'] ?? '',
    headers,
    hasRepeatedHeader: hasRepeatedHeader(rawHeaders),
    providerToken,
    updatesTokenTooOften: connection.updatesTokenTooOften(providerToken),
    topic: header(headers, 'apns-topic') ?? '',
    payloadSize: size,
    payload: parsePayload(body),
  }
}

function pushOf(arrival: Arrival, request: ApnsRequest, verdict: ApnsVerdict): ApnsReceived {
  const id = header(arrival.headers, 'apns-id')
  const mismatch = findMismatch(request)
  return {
    token: request.deviceToken ?? '',
    at: arrival.at,
    receivedAtMonotonic: arrival.monotonic,
    apnsId: id === undefined || verdict.reason === 'BadMessageId' ? randomUUID() : id,
    topic: request.topic,
    headers: arrival.headers,
    payload: request.payload ?? {},
    verdict,
    ...(mismatch !== undefined && { mismatch }),
    sessionId: arrival.connection.id,
  }
}

function readBody(stream: ServerHttp2Stream, done: (body: Buffer, size: number) => void): void {
  let body: Buffer = Buffer.alloc(0)
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (body.length < MAX_KEPT_BODY) body = body.length === 0 ? chunk : Buffer.concat([body, chunk])
  })
  stream.on('end', () => done(body, size))
  // A stream that breaks is the sender's doing; without a listener it would end the process.
  stream.on('error', () => undefined)
}
