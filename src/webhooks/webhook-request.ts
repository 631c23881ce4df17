import type { LookupAddress } from 'node:dns'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent'
import { toError } from '../lib/error.ts'
import type { JudgeAddress } from './reachable-addresses.ts'
import type { ResolveHost } from './resolve-host.ts'
import { hostOf, mayReach } from './webhook-url.ts'

/** Read, so that the receiver can finish what it says, and thrown away. */
const MAX_ANSWER_BYTES = 64 * 1_024

/** Why there was no answer. No address and no word of the other side: an owner must not explore our network with it. */
export type NoAnswer =
  | 'address_refused'
  | 'dns_failed'
  | 'connection_refused'
  | 'tls_failed'
  | 'timeout'
  | 'connection_failed'
export type Answer = { status: number } | { error: NoAnswer }

export type WebhookRequest = (
  url: string,
  message: { headers: Record<string, string>; body: string },
  signal: AbortSignal,
) => Promise<Answer>

/**
 * POSTs to a URL that a stranger has chosen. The name is resolved once, every address of it is judged, and the connection goes to
 * one of those: a name that changes its mind in between (DNS rebinding) changes nothing. Redirects are not followed.
 *
 * Resolves to the status of whatever answer comes, or to why none came. `signal` ends it, which is a `timeout`.
 */
export function createWebhookRequest(deps: { judge: JudgeAddress; resolve: ResolveHost }): WebhookRequest {
  return async (text, message, signal) => {
    const url = new URL(text)
    try {
      const addresses = await orAborted(deps.resolve(hostOf(url)), signal).catch((error: unknown) => {
        throw signal.aborted ? error : new NotReached('dns_failed')
      })
      const reach = addresses.map(({ address }) => ({ address, reach: deps.judge(address) }))
      if (!reach.every((each) => mayReach(url, each.reach))) throw new NotReached('address_refused')
      const opened = reach.filter((each) => each.reach === 'private').map(({ address }) => address)
      return { status: await post(url, message, { addresses, opened, signal }) }
    } catch (error) {
      return { error: signal.aborted ? 'timeout' : wordFor(toError(error)) }
    }
  }
}

interface Way {
  addresses: readonly LookupAddress[]
  /** Those of them that are private and allowed. */
  opened: string[]
  signal: AbortSignal
}

function post(
  url: URL,
  { headers, body }: { headers: Record<string, string>; body: string },
  { addresses, opened, signal }: Way,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  // The agent judges the address of the connection by a list of its own.
  const options = { allowIPAddressList: opened, keepAlive: false }
  const [send, agent] =
    url.protocol === 'https:'
      ? [https.request, new RequestFilteringHttpsAgent(options)]
      : [http.request, new RequestFilteringHttpAgent(options)]
  const request = send(url, { method: 'POST', headers, agent, lookup: onlyTo(addresses), signal })
  request.once('error', reject)
  request.once('response', (response: IncomingMessage) => {
    const answered = () => resolve(response.statusCode ?? 0)
    // The status is known; how the rest of the answer ends makes no difference.
    request.removeListener('error', reject).on('error', answered)
    response.once('error', answered).once('close', answered)
    discard(response)
  })
  request.end(body)
  return promise
}

function discard(response: IncomingMessage): void {
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) response.destroy()
  })
}

/** Instead of a second look at DNS: the addresses that were judged. */
const onlyTo =
  (addresses: readonly LookupAddress[]): LookupFunction =>
  (_host, { all }, callback) => {
    const [first] = addresses
    if (all || !first) callback(null, [...addresses])
    else callback(null, first.address, first.family)
  }

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(toError(signal.reason))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort))
}

class NotReached extends Error {
  readonly word: NoAnswer
  constructor(word: NoAnswer) {
    super(word)
    this.word = word
  }
}

function wordFor(error: Error & { code?: string }): NoAnswer {
  if (error instanceof NotReached) return error.word
  // The sentence of request-filtering-agent, which has no code.
  if (/ is not allowed\. Because/.test(error.message)) return 'address_refused'
  if (error.code === 'ECONNREFUSED') return 'connection_refused'
  // Node's and OpenSSL's: https://nodejs.org/api/tls.html#x509-certificate-error-codes
  const tls = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|INVALID_CA)/
  return tls.test(error.code ?? '') ? 'tls_failed' : 'connection_failed'
}
