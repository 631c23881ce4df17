import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'

/** https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#http */
const REQUEST_CREATED = 'http.client.request.created'
const SEND = '/messages:send'
/** Bytes. Google's answers have a few hundred. */
const MAX_BODY = 65_536

/** One call of firebase-admin, with the HTTP request that it makes. */
export interface Attempt {
  request?: ClientRequest
  /** Set as soon as the headers of an answer are there. */
  response?: IncomingMessage
  isCancelled: boolean
  /** The answer is longer than any of Google's, so that its connection was closed. firebase-admin says nothing then. */
  onTooLong(response: IncomingMessage): void
}

/**
 * Gets hold of the requests that firebase-admin makes, which it neither shows nor lets end: without that, nobody could tell
 * whether a message has left, a silent server would occupy a connection for 15 seconds, and an endless answer the memory.
 */
export function createAttempts() {
  const running = new AsyncLocalStorage<Attempt>()
  const onCreated = (message: unknown) => {
    const attempt = running.getStore()
    if (!attempt) return
    const { request } = message as { request: ClientRequest }
    // An access token may be fetched meanwhile.
    if (!request.path.endsWith(SEND)) return
    attempt.request = request
    request.once('response', (response: IncomingMessage) => limit(attempt, request, response))
    if (attempt.isCancelled) request.destroy()
  }
  subscribe(REQUEST_CREATED, onCreated)

  return {
    run: <T>(attempt: Attempt, work: () => Promise<T>): Promise<T> => running.run(attempt, work),
    cancel(attempt: Attempt): void {
      attempt.isCancelled = true
      attempt.request?.destroy()
    },
    close: () => {
      unsubscribe(REQUEST_CREATED, onCreated)
    },
  }
}
export type Attempts = ReturnType<typeof createAttempts>

function limit(attempt: Attempt, request: ClientRequest, response: IncomingMessage): void {
  attempt.response = response
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_BODY || request.destroyed) return
    request.destroy()
    attempt.onTooLong(response)
  })
}
