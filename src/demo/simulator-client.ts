import { createHash } from 'node:crypto'
import { z } from 'zod'
import { requestJson } from './http-json.ts'

const Received = z.object({
  total: z.int(),
  next: z.int(),
  items: z.array(
    z.object({
      at: z.string(),
      token_sha256: z.string(),
      payload: z.object({ expires_at: z.string().optional() }),
      status: z.int(),
      reason: z.string().optional(),
    }),
  ),
})
export type ReceivedPush = z.output<typeof Received>['items'][number]

const Phone = z.object({
  rang: z.array(z.object({ at: z.string() })),
  duplicates: z.int(),
  registrations: z.array(z.object({ at: z.string(), status: z.int() })),
})
export type PhoneReport = z.output<typeof Phone>

export type Platform = 'apns' | 'fcm'

/** No index gets this far, so that the answer says where the record ends and holds nothing. */
const BEYOND = 999_999_999_999_999

export type SimulatorClient = ReturnType<typeof createSimulatorClient>

/** Asks the control server of the simulators; each request names its phone by the token. */
export function createSimulatorClient(url: string) {
  const phoneUrl = (token: string) => new URL(`/phones/${encodeURIComponent(token)}`, url)
  const receivedUrl = (provider: Platform, since: number) =>
    new URL(`/received?provider=${provider}&since=${since}`, url)
  const read = async (provider: Platform, since: number) =>
    Received.parse(await requestJson(receivedUrl(provider, since)))

  return {
    url,

    /** Switches a phone on, or teaches the provider an answer for its token. */
    async putPhone(token: string, phone: Record<string, unknown>): Promise<void> {
      await requestJson(phoneUrl(token), { method: 'PUT', body: phone })
    },
    async removePhone(token: string): Promise<void> {
      await requestJson(phoneUrl(token), { method: 'DELETE' })
    },
    readPhone: async (token: string): Promise<PhoneReport> => Phone.parse(await requestJson(phoneUrl(token))),

    /** How many requests the provider has had so far. */
    countReceived: async (provider: Platform): Promise<number> => (await read(provider, BEYOND)).total,

    /** Every request for the token since then: not all of them are ours. */
    async receivedFor(provider: Platform, token: string, since: number): Promise<ReceivedPush[]> {
      const hash = createHash('sha256').update(token).digest('hex')
      const found: ReceivedPush[] = []
      for (let from = since; ; ) {
        const { total, next, items } = await read(provider, from)
        found.push(...items.filter(({ token_sha256 }) => token_sha256 === hash))
        if (items.length === 0 || next >= total) return found
        from = next
      }
    },
  }
}
