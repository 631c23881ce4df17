import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ApnsSimulator } from './apns-simulator.ts'
import { BadInput, type PhoneInput, parsePhoneInput } from './control-input.ts'
import { describePhone, describeReceived } from './control-output.ts'
import type { FcmSimulator } from './fcm-simulator.ts'
import { createStop, listenOnLoopback } from './listen.ts'
import type { PhoneRegistry } from './phone-registry.ts'
import { readText } from './read-text.ts'

/** Bytes. */
const MAX_BODY = 65_536
/** Items in one answer of `GET /received`. */
const MAX_ITEMS = 1_000

export interface ControlledSimulators {
  apns: ApnsSimulator
  apnsSandbox: ApnsSimulator
  fcm: FcmSimulator
  phones: PhoneRegistry
}

export interface ControlServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  close(): Promise<void>
}

interface Reply {
  status: number
  body: unknown
}

/**
 * Lets another process use the simulators. On loopback only and without authentication: whoever reaches it can make a simulated
 * phone ring and nothing else. No answer contains a device token.
 *
 * `PUT /phones/{token}`, `GET /phones/{token}`, `DELETE /phones/{token}`, `GET /received?provider=apns&since=0`, `GET /health`.
 */
export async function createControlServer(
  simulators: ControlledSimulators,
  port = 0,
): Promise<ControlServer> {
  const server = createServer((request, response) => void handle(request, response, simulators))
  const close = createStop(server)
  const bound = await listenOnLoopback(server, port)
  return { url: `http://127.0.0.1:${bound}`, close, [Symbol.asyncDispose]: close }
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  simulators: ControlledSimulators,
): Promise<void> {
  const body = await readText(request, MAX_BODY)
  if (body === 'broken') return
  const { status, body: answer } =
    body === 'too large' ? problem(413, 'the body is too large') : answerTo(request, body.text, simulators)
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer))
}

function answerTo(request: IncomingMessage, body: string, simulators: ControlledSimulators): Reply {
  try {
    const url = URL.parse(request.url ?? '/', 'http://127.0.0.1')
    if (!url) return problem(404, 'not found')
    const token = /^\/phones\/([^/]+)$/.exec(url.pathname)?.[1]
    if (token !== undefined) return phone(request.method, decode(token), body, simulators)
    if (request.method !== 'GET') return problem(405, 'method not allowed')
    if (url.pathname === '/health')
      return { status: 200, body: { status: 'ok', phones: simulators.phones.size } }
    if (url.pathname === '/received') return received(url.searchParams, simulators)
    return problem(404, 'not found')
  } catch (error) {
    if (error instanceof BadInput) return problem(400, error.message)
    throw error
  }
}

function phone(
  method: string | undefined,
  token: string,
  body: string,
  simulators: ControlledSimulators,
): Reply {
  const { phones } = simulators
  if (method === 'PUT') return put(token, parsePhoneInput(body), simulators)
  if (method !== 'GET' && method !== 'DELETE') return problem(405, 'method not allowed')
  const found = phones.get(token)
  if (method === 'GET')
    return found ? { status: 200, body: describePhone(found) } : problem(404, 'no such phone')
  for (const simulator of [simulators.apns, simulators.apnsSandbox, simulators.fcm]) simulator.forgets(token)
  return { status: 200, body: { removed: phones.remove(token) } }
}

function put(
  token: string,
  { platform, environment, phone, answer }: PhoneInput,
  simulators: ControlledSimulators,
): Reply {
  const { apns, apnsSandbox, fcm, phones } = simulators
  const simulator = platform === 'fcm' ? fcm : environment === 'sandbox' ? apnsSandbox : apns
  phones.remove(token)
  simulator.forgets(token)
  if (environment && platform === 'apns') apns.registers(token, environment)
  if (answer) simulator.behaves(token, answer)
  if (phone) {
    const { api, behaviour } = phone
    // Failed registrations are part of what GET answers.
    phones.add({
      platform,
      token,
      api,
      behaviour,
      onError: () => undefined,
      ...(environment && { environment }),
    })
  }
  return { status: 200, body: { phone: phone !== undefined, answer: answer !== undefined } }
}

function received(query: URLSearchParams, { apns, apnsSandbox, fcm }: ControlledSimulators): Reply {
  const records = { apns: apns.record, apns_sandbox: apnsSandbox.record, fcm: fcm.record }
  const provider = query.get('provider') ?? ''
  const since = query.get('since') ?? '0'
  if (!(provider === 'apns' || provider === 'apns_sandbox' || provider === 'fcm')) {
    throw new BadInput(`provider must be one of ${Object.keys(records).join(', ')}`)
  }
  if (!/^\d{1,15}$/.test(since)) throw new BadInput('since must be a whole number from 0 on')
  const { total } = records[provider]
  const items = records[provider]
    .since(Number(since))
    .slice(0, MAX_ITEMS)
    .map(({ index, item }) => describeReceived(index, item))
  return { status: 200, body: { total, next: (items.at(-1)?.index ?? total - 1) + 1, items } }
}

function decode(token: string): string {
  try {
    return decodeURIComponent(token)
  } catch {
    throw new BadInput('the token is not well escaped')
  }
}

const problem = (status: number, error: string): Reply => ({ status, body: { error } })
