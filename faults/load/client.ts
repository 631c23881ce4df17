import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { SECOND } from '../../src/lib/units.ts'

export interface Answered {
  /** 0: the connection broke, or nobody answered in time. */
  status: number
  /** Seconds. */
  retryAfter?: number
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as the contract describes them
  json: any
}

/** Longer than any answer of ours takes. */
const PATIENCE_MS = 15 * SECOND

/** Speaks to APIs over connections that are kept, and never throws. */
export function createClient() {
  const agent = new Agent({ keepAlive: true })
  return {
    async send(
      url: string,
      method: string,
      headers: Readonly<Record<string, string>>,
      body: unknown,
    ): Promise<Answered> {
      const payload = JSON.stringify(body)
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
      const sent = request(url, {
        method,
        agent,
        signal: AbortSignal.timeout(PATIENCE_MS),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          ...headers,
        },
      })
      sent.once('response', resolve).once('error', reject).end(payload)
      try {
        const response = await promise
        const retryAfter = response.headers['retry-after']
        return {
          status: response.statusCode ?? 0,
          json: JSON.parse(await text(response)),
          ...(retryAfter !== undefined && { retryAfter: Number(retryAfter) }),
        }
      } catch {
        return { status: 0, json: undefined } // what went wrong is the other side's, and the history says that it did
      }
    },
    close: () => agent.destroy(),
  }
}
export type Client = ReturnType<typeof createClient>
