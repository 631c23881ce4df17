import pg from 'pg'
import { toError } from '../lib/error.ts'

const RECONNECT_MS = 500

/** One connection that listens, and comes back by itself when it breaks. */
export interface PostgresListener {
  onMessage(listener: (message: string) => void): void
  /** Resolves while the connection listens; waits for a reconnect otherwise. */
  ready(): Promise<void>
  close(): Promise<void>
}

export function createPostgresListener(
  databaseUrl: string,
  channel: 'wakeline_signals',
  onError: (error: Error) => void,
): PostgresListener {
  const listeners: ((message: string) => void)[] = []
  let closed = false
  let client: pg.Client | undefined
  let retry: NodeJS.Timeout | undefined
  let listening = Promise.withResolvers<void>()
  let isListening = false

  const lost = (broken: pg.Client, error?: Error) => {
    if (client !== broken || closed) return
    client = undefined
    if (error) onError(error)
    if (isListening) listening = Promise.withResolvers<void>()
    isListening = false
    broken.end().catch(onError)
    retry = setTimeout(connect, RECONNECT_MS)
  }

  const connect = () => {
    // Keep-alive: a connection that dies in silence must be noticed, or signals come by poll only.
    const fresh = new pg.Client({
      connectionString: databaseUrl,
      keepAlive: true,
      application_name: 'wakeline-signals',
    })
    client = fresh
    fresh.on('notification', ({ payload }) => {
      for (const listener of listeners) listener(payload ?? '')
    })
    fresh.on('error', (error) => lost(fresh, error))
    fresh.on('end', () => lost(fresh))
    fresh
      .connect()
      .then(() => fresh.query(`LISTEN ${channel}`))
      .then(() => {
        isListening = true
        listening.resolve()
      })
      .catch((error: unknown) => lost(fresh, toError(error)))
  }
  connect()

  return {
    onMessage: (listener) => void listeners.push(listener),
    ready: () => listening.promise,
    async close() {
      closed = true
      clearTimeout(retry)
      await client?.end()
    },
  }
}
