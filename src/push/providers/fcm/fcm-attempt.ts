import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'

/** https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#http */
const REQUEST_CREATED = 'http.client.request.created'

/** One call of firebase-admin, with the HTTP request that it makes. */
export interface Attempt {
  request?: ClientRequest
  isCancelled: boolean
}

/**
 * Gets hold of the requests that firebase-admin makes, which it neither shows nor lets end: without that, nobody could tell
 * whether a message has left, and a silent server would occupy a connection for 15 seconds.
 */
export function createAttempts() {
  const running = new AsyncLocalStorage<Attempt>()
  const onCreated = (message: unknown) => {
    const attempt = running.getStore()
    if (!attempt) return
    attempt.request = (message as { request: ClientRequest }).request
    if (attempt.isCancelled) attempt.request.destroy()
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
