import { StartError } from '../lib/start-error.ts'
import { SECOND } from '../lib/units.ts'

/** Longer than any hold of the demo. */
const PATIENCE_MS = 15 * SECOND

export interface JsonRequest {
  method?: 'GET' | 'PUT' | 'POST' | 'DELETE'
  headers?: Record<string, string>
  body?: unknown
  /** Aborts when the answer is no longer wanted; its reason is what the request rejects with. */
  signal?: AbortSignal
}

/** One request whose answer must be a success. Rejects with a sentence that names what was asked, never a key. */
export async function requestJson(url: URL, request: JsonRequest = {}): Promise<unknown> {
  const { method = 'GET', headers, body, signal } = request
  const what = `${method} ${url.origin}${withoutToken(url.pathname)}`
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])]),
  }).catch((cause: unknown) => {
    signal?.throwIfAborted()
    throw new StartError(`${what} got no answer: is it running there?`, { cause })
  })
  const text = await response.text()
  if (response.ok) return parse(text, what)
  throw new StartError(`${what} was answered with ${response.status}: ${text.slice(0, 300)}`)
}

/** Device tokens are secrets, also in a path. */
const withoutToken = (path: string): string => path.replace(/^\/phones\/.+/, '/phones/...')

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new StartError(`${what} was answered with something that is not JSON: is it a Wakeline?`, { cause })
  }
}
