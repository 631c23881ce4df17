import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { toError } from '../../lib/error.ts'
import type { ApnsArrival } from '../../simulators/chat-device/ios-push.ts'
import type { PushLine } from '../../simulators/chat-device/phone-parts.ts'
import { createPushListeners } from '../../simulators/push-listeners.ts'
import { requestJson } from '../http-json.ts'

/** How often Apple is asked, in milliseconds: well below what a person notices. */
const EVERY_MS = 20

const Page = z.object({
  next: z.int(),
  items: z.array(
    z.object({
      at: z.string(),
      token_sha256: z.string(),
      headers: z.record(z.string(), z.string()).default({}),
      payload: z.record(z.string(), z.unknown()),
      status: z.int(),
    }),
  ),
})
/** A request to Apple, with the time at which it came there. */
export type AppleRequest = z.output<typeof Page>['items'][number]

export type RemoteLine = Awaited<ReturnType<typeof openRemoteLine>>

/** The connection between Apple's simulator, which is in another process, and the phones of this one. */
export async function openRemoteLine(
  simulatorsUrl: string,
  { signal, onError }: { signal: AbortSignal; onError: (error: Error) => void },
): Promise<PushLine<ApnsArrival> & { requestsTo(token: string): AppleRequest[] } & AsyncDisposable> {
  const listeners = createPushListeners<ApnsArrival>()
  const tokens = new Map<string, string>()
  const requests: AppleRequest[] = []
  const over = new AbortController()
  const read = async (since: number) => {
    const url = new URL(`/received?provider=apns&since=${since}`, simulatorsUrl)
    return Page.parse(await requestJson(url, { signal }))
  }
  const take = (request: AppleRequest) => {
    const token = tokens.get(request.token_sha256)
    if (token === undefined) return
    requests.push(request)
    if (request.status !== 200) return
    const { headers, payload } = request
    const at = new Date(request.at).getTime()
    listeners.emit({ token, at, headers, payload, apnsId: headers['apns-id'] ?? '' })
  }
  const follow = async (from: number) => {
    for (let next = from; !over.signal.aborted; ) {
      const page = await read(next)
      for (const request of page.items) take(request)
      next = page.next
      if (page.items.length === 0)
        await delay(EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined)
    }
  }
  const begin = async (): Promise<number> => {
    for (let next = 0; ; ) {
      const page = await read(next)
      if (page.items.length === 0) return page.next
      next = page.next
    }
  }
  const following = follow(await begin()).catch((error: unknown) => onError(toError(error)))
  return {
    onAccepted(listener, token = '') {
      tokens.set(hashOf(token), token)
      return listeners.onAccepted(listener, token)
    },
    requestsTo: (token) => requests.filter(({ token_sha256 }) => token_sha256 === hashOf(token)),
    async [Symbol.asyncDispose]() {
      over.abort()
      await following
    },
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')
